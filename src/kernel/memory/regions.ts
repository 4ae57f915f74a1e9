/**
 * The region table: bounds and flags by region index, in typed arrays that the engines read
 * directly. Region 0 is never handed out and always empty; indices are reused, the last freed
 * first. 32,767 would make addresses that look like -1…-4095 (errno values), so it is never used.
 */

/** Regions that can exist at a time: indices 1 to 32,766. */
export const REGIONS_MAX = 32_766

export class RegionTable {
  start: Uint32Array = new Uint32Array(256)
  end: Uint32Array = new Uint32Array(256)
  flags: Uint8Array = new Uint8Array(256)
  private used = 1
  private readonly freed: number[] = []
  private readonly tags: (ReadonlyMap<number, number> | undefined)[] = []

  /** The index of a new region, or 0 when all {@link REGIONS_MAX} are in use. */
  create(start: number, end: number, flags: number): number {
    let region = this.freed.pop()
    if (region === undefined) {
      if (this.used > REGIONS_MAX) return 0
      region = this.used++
      if (region >= this.start.length) this.grow()
    }
    this.set(region, start, end, flags)
    return region
  }

  set(region: number, start: number, end: number, flags: number): void {
    if (!(start <= end))
      throw new RangeError(`region ${region} would end at ${end} before ${start}`)
    this.start[region] = start
    this.end[region] = end
    this.flags[region] = flags
  }

  destroy(region: number): void {
    if (region === 0) return
    this.set(region, 0, 0, 0)
    this.tags[region] = undefined
    this.freed.push(region)
  }

  setTags(region: number, tags: ReadonlyMap<number, number>): void {
    this.tags[region] = tags
  }

  tag(region: number, offset: number): number {
    return this.tags[region]?.get(offset) ?? 0
  }

  private grow(): void {
    const length = this.start.length * 2
    const { start, end, flags } = this
    this.start = new Uint32Array(length)
    this.start.set(start)
    this.end = new Uint32Array(length)
    this.end.set(end)
    this.flags = new Uint8Array(length)
    this.flags.set(flags)
  }
}
