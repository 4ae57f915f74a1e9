// Prints what libbpf reads in an object, as JSON: the oracle of test/object/libbpf.test.ts.
// With a second argument it also tries to load the object and prints the instructions after
// relocation (whether or not the kernel took them).
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static void print_hex(const char *key, const void *bytes, size_t size)
{
	printf("\"%s\":\"", key);
	for (size_t i = 0; i < size; i++)
		printf("%02x", ((const unsigned char *)bytes)[i]);
	printf("\"");
}

static void print_map(const struct bpf_map *map)
{
	size_t size = 0;
	const void *data = bpf_map__initial_value((struct bpf_map *)map, &size);
	struct bpf_map *inner = bpf_map__inner_map((struct bpf_map *)map);
	const char *pin = bpf_map__pin_path(map);

	printf("{\"name\":\"%s\",\"type\":%d,\"keySize\":%u,\"valueSize\":%u,\"maxEntries\":%u,"
	       "\"flags\":%u,\"mapExtra\":%llu,\"numaNode\":%u,\"keyTypeId\":%u,\"valueTypeId\":%u,"
	       "\"internal\":%s,\"pinned\":%s,",
	       bpf_map__name(map), bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
	       bpf_map__max_entries(map), bpf_map__map_flags(map),
	       (unsigned long long)bpf_map__map_extra(map), bpf_map__numa_node(map),
	       bpf_map__btf_key_type_id(map), bpf_map__btf_value_type_id(map),
	       bpf_map__is_internal(map) ? "true" : "false", pin ? "true" : "false");
	print_hex("data", data, data ? size : 0);
	printf(",\"inner\":");
	if (inner)
		print_map(inner);
	else
		printf("null");
	printf("}");
}

static void print_programs(struct bpf_object *object)
{
	struct bpf_program *program;
	const char *comma = "";

	printf("[");
	bpf_object__for_each_program(program, object) {
		printf("%s{\"name\":\"%s\",\"section\":\"%s\",\"type\":%d,\"attachType\":%d,"
		       "\"autoload\":%s,\"flags\":%u,",
		       comma, bpf_program__name(program), bpf_program__section_name(program),
		       bpf_program__type(program), bpf_program__expected_attach_type(program),
		       bpf_program__autoload(program) ? "true" : "false", bpf_program__flags(program));
		print_hex("instructions", bpf_program__insns(program), 8 * bpf_program__insn_cnt(program));
		printf("}");
		comma = ",";
	}
	printf("]");
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_map *map;
	const char *comma = "";
	int error;

	libbpf_set_print(silent);
	object = bpf_object__open_file(argv[1], NULL);
	error = libbpf_get_error(object);
	if (error) {
		printf("{\"openError\":%d}\n", -error);
		return 0;
	}
	printf("{\"name\":\"%s\",\"kernelVersion\":%u,\"maps\":[", bpf_object__name(object),
	       bpf_object__kversion(object));
	bpf_object__for_each_map(map, object) {
		printf("%s", comma);
		print_map(map);
		bpf_map__set_pin_path(map, NULL);
		comma = ",";
	}
	printf("],\"programs\":");
	print_programs(object);
	if (argc > 2) {
		error = bpf_object__load(object);
		printf(",\"loadError\":%d,\"linked\":", -error);
		print_programs(object);
	}
	printf("}\n");
	bpf_object__close(object);
	return 0;
}
