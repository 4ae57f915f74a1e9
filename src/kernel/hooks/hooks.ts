/**
 * All hooks of the embedded kernel by name: devices by index and attach type, cgroups by path and
 * attach type, tracepoints, raw tracepoints and LSM hooks by name. Sites come into being when
 * something is attached; firing a hook without a site costs one map lookup.
 */

import { HookSite } from "./site.ts"

export class Hooks {
  private readonly sites = new Map<string, HookSite>()

  /** The site, made if need be. */
  site(key: string): HookSite {
    let site = this.sites.get(key)
    if (site === undefined) {
      site = new HookSite()
      this.sites.set(key, site)
    }
    return site
  }

  /** The site if something was ever attached there. */
  find(key: string): HookSite | undefined {
    return this.sites.get(key)
  }
}

/** Keys of sites. `attachType` is enum bpf_attach_type. */
export const hookKey = {
  device: (ifindex: number, attachType: number): string => `dev/${ifindex}/${attachType}`,
  tracepoint: (group: string, name: string): string => `tp/${group}/${name}`,
  /** Raw tracepoints and tp_btf share the tracepoint's bare name. */
  rawTracepoint: (name: string): string => `raw_tp/${name}`,
  lsm: (hook: string): string => `lsm/${hook}`,
  /** LSM programs of a cgroup. */
  lsmCgroup: (path: string, hook: string): string => `lsm_cgroup/${hook}${path}`,
  /** A place in an executable: entry, return or session. */
  uprobe: (kind: string, path: string, offset: bigint): string => `${kind}/${offset}${path}`,
  /** Software perf events by type and config. */
  perfEvent: (id: number): string => `perf/${id}`,
  /** fentry, fexit and fmod_ret of a kernel function. */
  trampoline: (name: string, attachType: number): string => `fn/${attachType}/${name}`,
  netns: (attachType: number, namespace: number): string => `netns/${attachType}/${namespace}`,
} as const
