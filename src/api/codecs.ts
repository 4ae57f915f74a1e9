/** How bytes become values: re-exported from btf/, and gathered for internal use. */

import * as all from "../btf/codecs.ts"
import { type Codec, type Decoded, decodeValue, encodeValue } from "../btf/index.ts"

export {
  array,
  bool,
  bytes,
  chars,
  s8,
  s16,
  s32,
  s64,
  struct,
  u8,
  u16,
  u32,
  u64,
} from "../btf/codecs.ts"
export { all as codecs, type Codec, type Decoded, decodeValue, encodeValue }
