// Atomics; all but the first need cpu v3.
long long add(long long *a, int *b, long long c) {
  __sync_fetch_and_add(a, c);
  __sync_fetch_and_add(b, 3);
  return c;
}

#ifdef V3
long long fetch(long long *a, int *b, long long c) {
  long long r = __sync_fetch_and_add(a, c) + __sync_fetch_and_sub(a, 5);
  r += __sync_fetch_and_and(a, c) + __sync_fetch_and_or(a, c) + __sync_fetch_and_xor(a, c);
  r += __sync_fetch_and_add(b, 1) + __sync_fetch_and_and(b, 2) + __sync_fetch_and_or(b, 3);
  r += __sync_fetch_and_xor(b, 4) + __sync_lock_test_and_set(a, 9) + __sync_lock_test_and_set(b, 8);
  return r + __sync_val_compare_and_swap(a, c, 7) + __sync_val_compare_and_swap(b, 1, 2);
}
#endif
