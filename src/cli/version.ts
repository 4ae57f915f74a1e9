/** The version of the package: written into the bundle by scripts/build.mjs. */

declare const SKEP_VERSION: string | undefined

/** `0.1.0`; `source` when run without a build. */
export const version: string = typeof SKEP_VERSION === "string" ? SKEP_VERSION : "source"
