// One thread of soak.test.ts: random operations on a map that another thread uses too, against a
// model of what this thread alone has put there. Posts what it counted, or what went wrong.
import { parentPort, workerData } from "node:worker_threads"

const { module, memory, map, type, cpu, cpuWord, operations, seed, scratch, keySize, barrier } =
  workerData

const i32 = new Int32Array(memory.buffer)
i32[cpuWord >> 2] = cpu
const host = {
  cpuWord: new WebAssembly.Global({ value: "i32", mutable: false }, cpuWord),
  mayWait: new WebAssembly.Global({ value: "i32", mutable: false }, 1),
  refill: () => 0,
  allocate: () => 0,
  release: () => {},
  wake: () => {},
  otherLookup: () => 0,
  otherUpdate: () => -22,
  otherDelete: () => -22,
}
const { exports: engine } = new WebAssembly.Instance(module, { env: { memory }, host })

let state = (seed * 2654435761 + cpu * 40503 + 1) >>> 0
function below(limit) {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % limit
}

const KEY = scratch
const VALUE = scratch + 64
function fail(what) {
  throw new Error(`cpu ${cpu}: ${what}`)
}

/** Own keys have the CPU in their second byte; the last word makes multi-word keys differ. */
function writeKey(n) {
  i32[KEY >> 2] = n | (cpu << 24)
  for (let at = 4; at < keySize; at += 4) i32[(KEY + at) >> 2] = n
}

function writeValue(n) {
  i32[VALUE >> 2] = n
  i32[(VALUE + 4) >> 2] = ~n
}

const OWN_KEYS = 300
/** Keys that both threads count in; never deleted. */
const COMMON_KEYS = 8

function writeCommon(n) {
  i32[KEY >> 2] = 0x7f000000 | n
  for (let at = 4; at < keySize; at += 4) i32[(KEY + at) >> 2] = n
}

/** Hash maps: exact for own keys, and counters that lose nothing. */
function hash(lookup, update, remove) {
  const model = new Map()
  let added = 0
  for (let step = 0; step < operations; step++) {
    const kind = below(10)
    const n = below(OWN_KEYS)
    if (kind === 0) {
      writeCommon(n % COMMON_KEYS)
      const value = lookup(map, KEY)
      if (value === 0) fail(`common key ${n % COMMON_KEYS} is gone at step ${step}`)
      Atomics.add(i32, value >> 2, 1)
      added++
      continue
    }
    writeKey(n)
    if (kind < 5) {
      const value = lookup(map, KEY)
      const expected = model.get(n)
      if ((value === 0) !== (expected === undefined))
        fail(`key ${n} is ${value === 0 ? "not" : ""} there at step ${step}`)
      if (value !== 0 && (i32[value >> 2] !== expected || i32[(value + 4) >> 2] !== ~expected))
        fail(`key ${n} has ${i32[value >> 2]} instead of ${expected} at step ${step}`)
    } else if (kind < 8) {
      writeValue(step)
      const flags = below(3)
      const result = update(map, KEY, VALUE, flags)
      const exists = model.has(n)
      const wanted = flags === 1 && exists ? -17 : flags === 2 && !exists ? -2 : 0
      if (result !== wanted) fail(`update of ${n} gave ${result}, not ${wanted}, at step ${step}`)
      if (result === 0) model.set(n, step)
    } else {
      const result = remove(map, KEY)
      if ((result === 0) !== model.delete(n)) fail(`delete of ${n} gave ${result} at step ${step}`)
    }
  }
  return { added, live: model.size }
}

/** LRU maps evict: what is there must be whole. */
function lru() {
  for (let step = 0; step < operations; step++) {
    const n = below(OWN_KEYS * 10)
    writeKey(n)
    const kind = below(10)
    if (kind < 4) engine.lruLookup(map, KEY)
    else if (kind < 9) {
      writeValue(n)
      const result = engine.lruUpdate(map, KEY, VALUE, 0)
      if (result !== 0) fail(`update gave ${result} at step ${step}`)
    } else engine.lruDelete(map, KEY)
  }
  return {}
}

/** Prefixes below one first byte: exact. */
function lpm() {
  const model = new Map()
  const id = (bits, prefix) => `${prefix === 0 ? 0 : bits >>> (32 - prefix)}/${prefix}`
  for (let step = 0; step < operations; step++) {
    const bits = ((cpu + 1) << 24) | (below(4) << 16) | (below(16) << 8) | below(4)
    const prefix = [16, 20, 24, 30, 32][below(5)]
    i32[KEY >> 2] = prefix
    i32[(KEY + 4) >> 2] =
      (bits << 24) | ((bits & 0xff00) << 8) | ((bits >>> 8) & 0xff00) | (bits >>> 24)
    const kind = below(10)
    if (kind < 5) {
      i32[KEY >> 2] = 32
      let expected
      for (let length = 32; length >= 8 && expected === undefined; length--)
        expected = model.get(id(bits, length))
      const value = engine.lpmLookup(map, KEY)
      const found = value === 0 ? undefined : i32[value >> 2]
      if (found !== expected) fail(`${bits} gave ${found}, not ${expected}, at step ${step}`)
    } else if (kind < 8) {
      writeValue(step)
      const result = engine.lpmUpdate(map, KEY, VALUE, 0)
      if (result !== 0) fail(`update gave ${result} at step ${step}`)
      model.set(id(bits, prefix), step)
    } else {
      const result = engine.lpmDelete(map, KEY)
      if ((result === 0) !== model.delete(id(bits, prefix)))
        fail(`delete gave ${result} at step ${step}`)
    }
  }
  return { live: model.size }
}

/** Nothing that is pushed is lost or comes twice; a queue keeps the order of each producer. */
function queue(push, pop, ordered) {
  let sum = 0
  let count = 0
  const last = [-1, -1]
  for (let step = 0; step < operations; step++) {
    if (below(2) === 0) {
      i32[VALUE >> 2] = step
      i32[(VALUE + 4) >> 2] = cpu
      if (push(map, VALUE, 0) === 0) {
        sum += step
        count++
      }
    } else if (pop(map, VALUE) === 0) {
      const from = i32[(VALUE + 4) >> 2]
      if (ordered && i32[VALUE >> 2] <= last[from]) fail(`out of order at step ${step}`)
      last[from] = i32[VALUE >> 2]
      sum -= i32[VALUE >> 2]
      count--
    }
  }
  return { sum, count }
}

/** Numbered records; the test reads them. */
function ring() {
  let sent = 0
  for (let step = 0; step < operations; step++) {
    const size = 8 + below(60)
    const sample = engine.ringReserve(map, size, 0)
    if (sample === 0) {
      Atomics.wait(i32, VALUE >> 2, i32[VALUE >> 2], 0.05)
      continue
    }
    const keep = below(8) !== 0
    i32[sample >> 2] = cpu
    i32[(sample + 4) >> 2] = sent
    if (keep) {
      sent++
      engine.ringSubmit(sample, 1)
    } else engine.ringDiscard(sample, 1)
  }
  return { sent }
}

/** Values of this CPU alone. */
function percpu(lookup) {
  let added = 0
  for (let step = 0; step < operations; step++) {
    writeCommon(below(COMMON_KEYS))
    if (type === 6) i32[KEY >> 2] = below(COMMON_KEYS)
    const value = lookup(map, KEY)
    if (value === 0) fail(`a common key is gone at step ${step}`)
    i32[value >> 2]++
    added++
  }
  return { added }
}

function bloom() {
  for (let step = 0; step < operations; step++) {
    i32[VALUE >> 2] = (cpu << 24) | below(500)
    if (below(2) === 0) engine.bloomPush(map, VALUE, 0)
    else engine.bloomPeek(map, VALUE)
  }
  for (let n = 0; n < 500; n++) {
    i32[VALUE >> 2] = (cpu << 24) | n
    engine.bloomPush(map, VALUE, 0)
  }
  return {}
}

function run() {
  switch (type) {
    case 1:
      return hash(engine.hashLookup, engine.hashUpdate, engine.hashDelete)
    case 2:
      return array()
    case 5:
      return percpu(engine.percpuHashLookup)
    case 6:
      return percpu(engine.percpuArrayLookup)
    case 9:
      return lru()
    case 11:
      return lpm()
    case 22:
      return queue(engine.queuePush, engine.queuePop, true)
    case 23:
      return queue(engine.queuePush, engine.stackPop, false)
    case 27:
      return ring()
    default:
      return bloom()
  }
}

/** An array whose values both threads add to. */
function array() {
  for (let step = 0; step < operations; step++) {
    i32[KEY >> 2] = below(COMMON_KEYS)
    Atomics.add(i32, engine.arrayLookup(map, KEY) >> 2, 1)
  }
  return { added: operations }
}

// Both begin at once.
Atomics.add(i32, barrier >> 2, 1)
Atomics.notify(i32, barrier >> 2)
for (let ready = 1; ready < 2; ready = Atomics.load(i32, barrier >> 2))
  Atomics.wait(i32, barrier >> 2, ready, 100)

try {
  parentPort.postMessage({ result: run() })
} catch (error) {
  parentPort.postMessage({ error: error.message })
}
