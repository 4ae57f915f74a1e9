/**
 * The scalar domain again, in plain bigints and for any even width: what a 64-bit register (with
 * its 32-bit half) is in the kernel is here a number of `width` bits with a half of `width / 2`.
 * At 4 or 8 bits all values can be tried; at 64 the WebAssembly module must agree field by field.
 *
 * A view is the pair of ranges of one width; a scalar is bits, the whole's view and the half's.
 */

export interface Bits {
  readonly value: bigint
  readonly mask: bigint
}

export interface View {
  smin: bigint
  smax: bigint
  umin: bigint
  umax: bigint
}

export interface Scalar {
  bits: Bits
  whole: View
  half: View
}

export const ALU: Readonly<Record<string, number>> = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
  arsh: 0xc0,
}

export const JUMP: Readonly<Record<string, number>> = {
  eq: 0x10,
  gt: 0x20,
  ge: 0x30,
  set: 0x40,
  ne: 0x50,
  sgt: 0x60,
  sge: 0x70,
  lt: 0xa0,
  le: 0xb0,
  slt: 0xc0,
  sle: 0xd0,
}

function min(...list: bigint[]): bigint {
  let least = list[0]
  for (const number of list) if (number < least) least = number
  return least
}

function max(...list: bigint[]): bigint {
  let most = list[0]
  for (const number of list) if (number > most) most = number
  return most
}

/** The domain of numbers of one width. */
export class Model {
  readonly width: number
  readonly halfWidth: number
  readonly #half: Model | undefined

  constructor(width: number, isHalf = false) {
    this.width = width
    this.halfWidth = width / 2
    this.#half = isHalf ? undefined : new Model(width / 2, true)
  }

  get all(): bigint {
    return (1n << BigInt(this.width)) - 1n
  }

  get half(): Model {
    if (this.#half === undefined) throw new Error("a half has no half")
    return this.#half
  }

  /** As an unsigned, or a signed, number of this width. */
  u(value: bigint): bigint {
    return BigInt.asUintN(this.width, value)
  }
  s(value: bigint): bigint {
    return BigInt.asIntN(this.width, value)
  }

  // ---- bits ----

  bits(value: bigint, mask: bigint): Bits {
    return { value: this.u(value & ~mask), mask: this.u(mask) }
  }
  has({ value, mask }: Bits, number: bigint): boolean {
    return (this.u(number) & ~mask) === value
  }
  members({ value, mask }: Bits): bigint[] {
    const list: bigint[] = []
    // Counts through the subsets of the mask.
    for (let part = 0n; ; part = (part - mask) & mask) {
      list.push(value | part)
      if (part === mask) return list
    }
  }
  bitsOfRange(low: bigint, high: bigint): Bits {
    let mask = 0n
    while ((low & ~mask) !== (high & ~mask)) mask = (mask << 1n) | 1n
    return this.bits(low, mask)
  }
  intersect(a: Bits, b: Bits): Bits {
    return this.bits(a.value | b.value, a.mask & b.mask)
  }
  union(a: Bits, b: Bits): Bits {
    return this.bits(a.value, a.mask | b.mask | (a.value ^ b.value))
  }
  addBits(a: Bits, b: Bits): Bits {
    const least = a.value + b.value
    const most = least + a.mask + b.mask
    return this.bits(least, (least ^ most) | a.mask | b.mask)
  }
  subBits(a: Bits, b: Bits): Bits {
    const most = a.value + a.mask - b.value
    const least = a.value - b.value - b.mask
    return this.bits(a.value - b.value, this.u(most ^ least) | a.mask | b.mask)
  }
  mulBits(a: Bits, b: Bits): Bits {
    let sum = this.bits(0n, 0n)
    for (let at = 0n; at < this.width; at++) {
      const shifted = this.bits(this.u(b.value << at), this.u(b.mask << at))
      const added = this.addBits(sum, shifted)
      if ((a.value >> at) & 1n) sum = added
      else if ((a.mask >> at) & 1n) sum = this.union(sum, added)
    }
    return sum
  }
  andBits(a: Bits, b: Bits): Bits {
    const surely = a.value & b.value
    return this.bits(surely, (a.value | a.mask) & (b.value | b.mask) & ~surely)
  }
  orBits(a: Bits, b: Bits): Bits {
    const surely = a.value | b.value
    return this.bits(surely, (a.mask | b.mask) & ~surely)
  }
  xorBits(a: Bits, b: Bits): Bits {
    return this.bits(a.value ^ b.value, a.mask | b.mask)
  }
  shiftBits(a: Bits, op: number, by: bigint): Bits {
    const shift = (x: bigint): bigint =>
      op === ALU.lsh ? x << by : op === ALU.rsh ? x >> by : this.s(x) >> by
    return { value: this.u(shift(a.value)), mask: this.u(shift(a.mask)) }
  }

  // ---- views ----

  anyView(): View {
    const top = 1n << BigInt(this.width - 1)
    return { smin: -top, smax: top - 1n, umin: 0n, umax: this.all }
  }
  viewOf(value: bigint): View {
    const [signed, unsigned] = [this.s(value), this.u(value)]
    return { smin: signed, smax: signed, umin: unsigned, umax: unsigned }
  }
  viewHas({ smin, smax, umin, umax }: View, value: bigint): boolean {
    const [signed, unsigned] = [this.s(value), this.u(value)]
    return smin <= signed && signed <= smax && umin <= unsigned && unsigned <= umax
  }
  /** Signed ends if they are the true range of results, else the widest. */
  #signed(view: View, low: bigint, high: bigint): void {
    const fits = this.s(low) === low && this.s(high) === high
    const any = this.anyView()
    view.smin = fits ? low : any.smin
    view.smax = fits ? high : any.smax
  }
  addView(a: View, b: View): View {
    const view = this.anyView()
    this.#signed(view, a.smin + b.smin, a.smax + b.smax)
    this.#wrapped(view, a.umin + b.umin, a.umax + b.umax)
    return view
  }
  subView(a: View, b: View): View {
    const view = this.anyView()
    this.#signed(view, a.smin - b.smax, a.smax - b.smin)
    this.#wrapped(view, a.umin - b.umax, a.umax - b.umin)
    return view
  }
  /** Unsigned ends stay in order when both wrap or none does. */
  #wrapped(view: View, low: bigint, high: bigint): void {
    const turn = (x: bigint): boolean => x < 0n || x > this.all
    if (turn(low) !== turn(high)) return
    view.umin = this.u(low)
    view.umax = this.u(high)
  }
  mulView(a: View, b: View): View {
    const view = this.anyView()
    const corners = [a.smin * b.smin, a.smin * b.smax, a.smax * b.smin, a.smax * b.smax]
    if (corners.every((corner) => this.s(corner) === corner))
      this.#signed(view, min(...corners), max(...corners))
    if (a.umax * b.umax <= this.all) {
      view.umin = a.umin * b.umin
      view.umax = a.umax * b.umax
    }
    return view
  }
  /** Ends of AND, OR, XOR, from the result's bits and the operands' unsigned ends. */
  logicView(op: number, bits: Bits, a: View, b: View, known: boolean): View {
    if (known && bits.mask === 0n) return this.viewOf(bits.value)
    const view = this.anyView()
    view.umin = op === ALU.or ? max(a.umin, b.umin) : bits.value
    view.umax = op === ALU.and ? min(a.umax, b.umax) : bits.value | bits.mask
    if (this.s(view.umin) <= this.s(view.umax)) {
      view.smin = this.s(view.umin)
      view.smax = this.s(view.umax)
    }
    return view
  }
  learnFromBits(view: View, { value, mask }: Bits): void {
    const sign = 1n << BigInt(this.width - 1)
    view.smin = max(view.smin, this.s(value | (mask & sign)))
    view.smax = min(view.smax, this.s(value | (mask & ~sign)))
    view.umin = max(view.umin, value)
    view.umax = min(view.umax, value | mask)
  }
  /** Signed and unsigned tell each other. */
  deduce(view: View): void {
    if (this.s(view.umin) <= this.s(view.umax)) {
      view.smin = max(view.smin, this.s(view.umin))
      view.smax = min(view.smax, this.s(view.umax))
    }
    if (this.u(view.smin) <= this.u(view.smax)) {
      view.umin = max(view.umin, this.u(view.smin))
      view.umax = min(view.umax, this.u(view.smax))
    } else if (view.umax < this.u(view.smin)) {
      view.smin = this.s(view.umin)
      view.umax = min(view.umax, this.u(view.smax))
    } else if (this.u(view.smax) < view.umin) {
      view.smax = this.s(view.umax)
      view.umin = max(view.umin, this.u(view.smin))
    }
  }

  // ---- scalars ----

  unknown(): Scalar {
    return {
      bits: this.bits(0n, this.all),
      whole: this.anyView(),
      half: this.half.anyView(),
    }
  }
  constant(value: bigint): Scalar {
    const half = this.half.viewOf(value)
    return { bits: this.bits(value, 0n), whole: this.viewOf(value), half }
  }
  contains(scalar: Scalar, value: bigint): boolean {
    return (
      this.has(scalar.bits, value) &&
      this.viewHas(scalar.whole, value) &&
      this.half.viewHas(scalar.half, value)
    )
  }
  copy({ bits, whole, half }: Scalar): Scalar {
    return { bits, whole: { ...whole }, half: { ...half } }
  }
  low({ value, mask }: Bits): Bits {
    return this.half.bits(value, this.half.u(mask))
  }
  withLow(bits: Bits, low: Bits): Bits {
    const keep = this.all & ~this.half.all
    return { value: (bits.value & keep) | low.value, mask: (bits.mask & keep) | low.mask }
  }

  /** The only number that bits and the unsigned range share, if Linux finds it. */
  single({ value, mask }: Bits, { umin, umax }: View): bigint | undefined {
    const largest = value | mask
    const after = (bound: bigint): bigint => {
      if (bound >= largest) return largest
      if (bound < value) return value
      // Builds the smallest greater number: keep a prefix of the bound, raise one unknown bit.
      let best = largest
      for (let at = 0n; at < this.width; at++) {
        const bit = 1n << at
        const above = this.all & ~((bit << 1n) - 1n)
        if ((value | mask) & bit && !(bound & bit)) {
          const candidate = (bound & above & mask) | (mask & bit) | value
          if (candidate > bound && candidate < best) best = candidate
        }
      }
      return best
    }
    // Two of them at least.
    const both = this.has({ value, mask }, umin) && this.has({ value, mask }, umax)
    if (both && umin < umax) return undefined
    const next = after(umin)
    if (this.has({ value, mask }, umin)) return next > umax ? umin : undefined
    if (next === largest) return largest
    return next <= umax && after(next) > umax ? next : undefined
  }

  learn(scalar: Scalar): void {
    this.half.learnFromBits(scalar.half, this.low(scalar.bits))
    this.learnFromBits(scalar.whole, scalar.bits)
    const only = this.single(scalar.bits, scalar.whole)
    if (only !== undefined) Object.assign(scalar, this.constant(only))
  }

  sync(scalar: Scalar): Scalar {
    this.learn(scalar)
    for (let round = 0; round < 3; round++) this.#round(scalar)
    const { whole, half, bits } = scalar
    const wide = this.intersect(bits, this.bitsOfRange(whole.umin, whole.umax))
    const low = this.half.intersect(this.low(wide), this.half.bitsOfRange(half.umin, half.umax))
    scalar.bits = this.withLow(wide, low)
    this.learn(scalar)
    return scalar
  }

  #round(scalar: Scalar): void {
    const { whole, half } = scalar
    const narrow = this.half
    const by = BigInt(this.halfWidth)
    const upper = (x: bigint): bigint => narrow.u(x >> by)
    for (const [low, high, signed] of [
      [whole.umin, whole.umax, false],
      [whole.smin, whole.smax, true],
    ] as const) {
      if (upper(low) !== upper(high)) continue
      if (!signed || narrow.u(low) <= narrow.u(high)) {
        half.umin = max(half.umin, narrow.u(low))
        half.umax = min(half.umax, narrow.u(high))
      }
      if (narrow.s(low) <= narrow.s(high)) {
        half.smin = max(half.smin, narrow.s(low))
        half.smax = min(half.smax, narrow.s(high))
      }
    }
    for (const [low, high] of [
      [whole.umin, whole.umax],
      [whole.smin, whole.smax],
    ] as const) {
      if (narrow.u(upper(low) + 1n) !== upper(high)) continue
      if (narrow.s(low) >= 0n || narrow.s(high) < 0n) continue
      half.smin = max(half.smin, narrow.s(low))
      half.smax = min(half.smax, narrow.s(high))
    }
    narrow.deduce(half)
    this.deduce(whole)
    const put = (end: bigint, low: bigint): bigint => ((end >> by) << by) | low
    whole.umin = max(whole.umin, put(whole.umin, half.umin))
    whole.umax = min(whole.umax, put(whole.umax, half.umax))
    whole.smin = max(whole.smin, put(whole.smin, half.umin))
    whole.smax = min(whole.smax, put(whole.smax, half.umax))
    const any = narrow.anyView()
    if (half.smin < 0n || whole.smin < any.smin || whole.smax > any.smax) return
    Object.assign(whole, { ...half, umin: this.u(half.smin), umax: this.u(half.smax) })
    scalar.bits = this.intersect(scalar.bits, this.bitsOfRange(whole.umin, whole.umax))
  }

  zeroExtend(scalar: Scalar): void {
    const low = this.half.all
    scalar.bits = { value: scalar.bits.value & low, mask: scalar.bits.mask & low }
    const { smin, smax, umin, umax } = scalar.half
    const positive = smin >= 0n && smax >= 0n
    scalar.whole = { umin, umax, smin: positive ? smin : 0n, smax: positive ? smax : low }
  }

  alu(a: Scalar, b: Scalar, op: number, wide: boolean): Scalar {
    const narrow = this.half
    const result = this.unknown()
    if (op === ALU.div || op === ALU.mod) return result
    if (op === ALU.neg) return this.alu(this.constant(0n), a, ALU.sub, wide)
    const bits = a.bits
    if (op === ALU.add || op === ALU.sub || op === ALU.mul) {
      const name = op === ALU.add ? "add" : op === ALU.sub ? "sub" : "mul"
      result.bits = this[`${name}Bits`](bits, b.bits)
      result.whole = this[`${name}View`](a.whole, b.whole)
      result.half = narrow[`${name}View`](a.half, b.half)
    } else if (op === ALU.and || op === ALU.or || op === ALU.xor) {
      const name = op === ALU.and ? "and" : op === ALU.or ? "or" : "xor"
      result.bits = this[`${name}Bits`](bits, b.bits)
      const low = this.low(result.bits)
      const known = this.low(b.bits).mask === 0n
      result.half = narrow.logicView(op, low, a.half, b.half, known)
      result.whole = this.logicView(op, result.bits, a.whole, b.whole, b.bits.mask === 0n)
      if (b.bits.mask === 0n && result.bits.mask === 0n)
        Object.assign(result, this.constant(result.bits.value))
      this.learn(result)
    } else if (!this.#shift(result, a, b, op, wide)) return this.unknown()
    if (!wide) this.zeroExtend(result)
    return this.sync(result)
  }

  #shift(result: Scalar, a: Scalar, b: Scalar, op: number, wide: boolean): boolean {
    const narrow = this.half
    const view = wide ? b.whole : b.half
    const known = (wide ? b.bits : this.low(b.bits)).mask === 0n
    if (!known || view.smin !== view.smax || view.umin !== view.umax) return false
    if (b.whole.umax >= BigInt(wide ? this.width : this.halfWidth)) return false
    const by = view.umin
    const model = wide ? this : narrow
    const from = wide ? a.whole : a.half
    const to = wide ? result.whole : result.half
    const source = wide ? a.bits : this.low(a.bits)
    result.bits = model.shiftBits(source, op, by)
    if (op === ALU.rsh) {
      to.umin = from.umin >> by
      to.umax = from.umax >> by
    } else if (op === ALU.arsh) {
      to.smin = from.smin >> by
      to.smax = from.smax >> by
    } else {
      const room = 1n << (BigInt(model.width - 1) - by)
      if (from.umax <= room) {
        to.umin = from.umin << by
        to.umax = from.umax << by
      }
      if (wide && by === BigInt(this.halfWidth)) {
        to.smin = a.half.smin << by
        to.smax = a.half.smax << by
      }
      // The lower half of a whole's shift is also looked at by itself.
      if (wide && by < BigInt(this.halfWidth)) {
        const { umin, umax } = a.half
        if (umax <= 1n << (BigInt(this.halfWidth - 1) - by)) {
          result.half.umin = umin << by
          result.half.umax = umax << by
        }
      }
    }
    if (!wide) narrow.learnFromBits(result.half, result.bits)
    else if (op === ALU.lsh) this.learn(result)
    return true
  }

  /** The condition on concrete values of this width (or of the half). */
  holds(a: bigint, b: bigint, op: number): boolean {
    const [x, y, p, q] = [this.u(a), this.u(b), this.s(a), this.s(b)]
    switch (op) {
      case JUMP.eq:
        return x === y
      case JUMP.ne:
        return x !== y
      case JUMP.gt:
        return x > y
      case JUMP.ge:
        return x >= y
      case JUMP.lt:
        return x < y
      case JUMP.le:
        return x <= y
      case JUMP.sgt:
        return p > q
      case JUMP.sge:
        return p >= q
      case JUMP.slt:
        return p < q
      case JUMP.sle:
        return p <= q
    }
    return (x & y) !== 0n
  }

  /** The result of an operation on concrete values, as the instruction set has it. */
  concrete(a: bigint, b: bigint, op: number, wide: boolean): bigint {
    const model = wide ? this : this.half
    const [x, y] = [model.u(a), model.u(b)]
    const by = y & BigInt(model.width - 1)
    switch (op) {
      case ALU.add:
        return model.u(x + y)
      case ALU.sub:
        return model.u(x - y)
      case ALU.mul:
        return model.u(x * y)
      case ALU.and:
        return x & y
      case ALU.or:
        return x | y
      case ALU.xor:
        return x ^ y
      case ALU.lsh:
        return model.u(x << by)
      case ALU.rsh:
        return x >> by
      case ALU.arsh:
        return model.u(model.s(x) >> by)
      case ALU.neg:
        return model.u(-x)
      case ALU.div:
        return y === 0n ? 0n : x / y
    }
    return y === 0n ? x : x % y
  }
}
