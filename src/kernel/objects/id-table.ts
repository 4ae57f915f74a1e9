/**
 * Ids of one kind of kernel object: they only go up, and are found and walked in order
 * (idr_alloc_cyclic in linux v6.18 kernel/bpf/syscall.c).
 */

export class IdTable<T> {
  private readonly byId = new Map<number, T>()
  private nextId = 1

  /** Gives `object` the next id. */
  add(object: T): number {
    const id = this.nextId++
    this.byId.set(id, object)
    return id
  }

  get(id: number): T | undefined {
    return this.byId.get(id)
  }

  delete(id: number): void {
    this.byId.delete(id)
  }

  /** The smallest id greater than `id`, or undefined. */
  next(id: number): number | undefined {
    // A Map keeps insertion order, which is id order.
    for (const candidate of this.byId.keys()) if (candidate > id) return candidate
    return undefined
  }

  values(): IterableIterator<T> {
    return this.byId.values()
  }

  get size(): number {
    return this.byId.size
  }
}
