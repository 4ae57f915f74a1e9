export { alu, assign32into64, forkWidth, linkAfterAlu, setFork, zext32 } from "./alu.ts"
export { boundsInsane, boundsSane, boundsSync, setBounds } from "./bounds.ts"
export { branchRefine, branchTaken } from "./branch.ts"
export {
  checkIds,
  configure,
  frameEqual,
  hashFrame,
  idmapReset,
  regsafe,
  stacksafe,
  widenImprecise,
} from "./compare.ts"
export { byteOrder, coerceSext, coerceSubregSext, coerceToSize, unknownByLoad } from "./extend.ts"
export {
  blockBytes,
  blockFrame,
  clearAllPacketPointers,
  collectLinked,
  collectRegs,
  copyFrame,
  currentBytes,
  frameBytes,
  growStack,
  restoreFrames,
  storeFrames,
  syncLinked,
  syncRegister,
  syncRegister,
} from "./frames.ts"
export { alignedTo, maxOffset, minOffset, pointerAlu } from "./pointer.ts"
export {
  copyReg,
  isConst,
  isConst32,
  isNull,
  isUnknown,
  markKnown,
  markKnownZero,
  markNotInit,
  markUnknown,
  setKnown,
  setUnbounded,
  setUnbounded32,
  width,
} from "./register.ts"
