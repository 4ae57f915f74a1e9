// "Struct definitions vary between kernels": the task_struct that the guide shows for Linux 5.15, as
// types of a kernel for handle_unlinkat to be relocated against. Repaired: a variable, so that the
// compiler writes the type.

struct task_struct {
	int pid;
	int tgid; // newly added
	char comm[16];
};

struct task_struct task_of_this_kernel;
