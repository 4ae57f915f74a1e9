/**
 * System calls of x86-64 with their numbers and arguments, for the `syscalls:sys_enter_*` and
 * `sys_exit_*` tracepoints (linux v6.18 arch/x86/entry/syscalls/syscall_64.tbl; argument names as
 * in /sys/kernel/tracing/events/syscalls). A `*` before a name: user-space address of a string or
 * of bytes; everything else is an integer or an address given as a number.
 */

export interface Syscall {
  readonly number: number
  readonly name: string
  readonly args: readonly { readonly name: string; readonly pointer: boolean }[]
}

const TABLE = `
0 read fd *buf count
1 write fd *buf count
2 open *filename flags mode
3 close fd
4 newstat *filename *statbuf
5 newfstat fd *statbuf
7 poll *ufds nfds timeout_msecs
8 lseek fd offset whence
9 mmap addr len prot flags fd off
10 mprotect start len prot
11 munmap addr len
12 brk brk
13 rt_sigaction sig *act *oact sigsetsize
16 ioctl fd cmd arg
17 pread64 fd *buf count pos
18 pwrite64 fd *buf count pos
21 access *filename mode
22 pipe *fildes
24 sched_yield
32 dup fildes
33 dup2 oldfd newfd
35 nanosleep *rqtp *rmtp
39 getpid
41 socket family type protocol
42 connect fd *uservaddr addrlen
43 accept fd *upeer_sockaddr *upeer_addrlen
44 sendto fd *buff len flags *addr addr_len
45 recvfrom fd *ubuf size flags *addr *addr_len
46 sendmsg fd *msg flags
47 recvmsg fd *msg flags
48 shutdown fd how
49 bind fd *umyaddr addrlen
50 listen fd backlog
56 clone clone_flags newsp *parent_tidptr *child_tidptr tls
57 fork
58 vfork
59 execve *filename *argv *envp
60 exit error_code
61 wait4 upid *stat_addr options *ru
62 kill pid sig
72 fcntl fd cmd arg
74 fsync fd
76 truncate *path length
77 ftruncate fd length
79 getcwd *buf size
80 chdir *filename
82 rename *oldname *newname
83 mkdir *pathname mode
84 rmdir *pathname
85 creat *pathname mode
86 link *oldname *newname
87 unlink *pathname
88 symlink *oldname *newname
90 chmod *filename mode
92 chown *filename user group
101 ptrace request pid addr data
105 setuid uid
106 setgid gid
110 getppid
155 pivot_root *new_root *put_old
161 chroot *filename
165 mount *dev_name *dir_name *type flags *data
166 umount *name flags
175 init_module *umod len *uargs
176 delete_module *name_user flags
186 gettid
200 tkill pid sig
202 futex *uaddr op val *utime *uaddr2 val3
217 getdents64 fd *dirent count
230 clock_nanosleep which_clock flags *rqtp *rmtp
231 exit_group error_code
232 epoll_wait epfd *events maxevents timeout
233 epoll_ctl epfd op fd *event
234 tgkill tgid pid sig
257 openat dfd *filename flags mode
258 mkdirat dfd *pathname mode
260 fchownat dfd *filename user group flag
262 newfstatat dfd *filename *statbuf flag
263 unlinkat dfd *pathname flag
264 renameat olddfd *oldname newdfd *newname
265 linkat olddfd *oldname newdfd *newname flags
266 symlinkat *oldname newdfd *newname
268 fchmodat dfd *filename mode
269 faccessat dfd *filename mode
270 pselect6 n *inp *outp *exp *tsp *sig
272 unshare unshare_flags
288 accept4 fd *upeer_sockaddr *upeer_addrlen flags
292 dup3 oldfd newfd flags
293 pipe2 *fildes flags
298 perf_event_open *attr_uptr pid cpu group_fd flags
307 sendmmsg fd *mmsg vlen flags
308 setns fd flags
313 finit_module fd *uargs flags
316 renameat2 olddfd *oldname newdfd *newname flags
317 seccomp op flags *uargs
318 getrandom *ubuf len flags
319 memfd_create *uname flags
321 bpf cmd *uattr size
322 execveat fd *filename *argv *envp flags
332 statx dfd *filename flags mask *buffer
425 io_uring_setup entries *params
435 clone3 *uargs size
437 openat2 dfd *filename *how usize
`

/** All system calls in the table, by rising number. */
export const SYSCALLS: readonly Syscall[] = TABLE.trim()
  .split("\n")
  .map((line) => {
    const [number, name, ...args] = line.split(" ")
    return {
      number: Number(number),
      name,
      args: args.map((arg) => ({ name: arg.replace("*", ""), pointer: arg.startsWith("*") })),
    }
  })

const byName = new Map(SYSCALLS.map((syscall) => [syscall.name, syscall]))

/** A system call by name, or undefined. */
export function findSyscall(name: string): Syscall | undefined {
  return byName.get(name)
}
