// A packet parser with bounds checks, and the packet loads of classic BPF.
unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long off) asm("llvm.bpf.load.word");

struct context {
  unsigned int data, data_end;
};

int parse(struct context *ctx) {
  unsigned char *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  if (at + 34 > end) return 1;
  unsigned short type = *(unsigned short *)(at + 12);
  if (type == __builtin_bswap16(0x8100)) {
    at += 4;
    type = *(unsigned short *)(at + 12);
    if (at + 34 > end) return 1;
  }
  if (type != 8) return 2;
  unsigned int header = (at[14] & 15) * 4;
  if (at + 14 + header + 4 > end) return 1;
  return *(unsigned short *)(at + 14 + header + 2) == 0x5000 ? 1 : 2;
}

int classic(void *skb) {
  if (load_half(skb, 12) != 0x800) return 0;
  return load_byte(skb, 14 + (load_byte(skb, 14) & 15) * 4) + load_word(skb, 26);
}
