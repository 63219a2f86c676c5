import type { Target } from '../target.ts'
import { dryRun } from './dry-run.ts'
import { render } from './render.ts'

export const istio: Target = {
  id: 'istio',
  title: 'Istio AuthorizationPolicy and PeerAuthentication (sidecars, waypoints, ztunnel)',
  limits: [
    'callers without mutual TLS have no identity: their requests cannot be allowed by name',
    'a path parameter matches one segment without "[" and "]"; before Envoy 1.35 also without "*"',
    'no regular expression in paths; a star is a wildcard only at the beginning or the end of a path',
    'ports are the ports of the workload; a callee whose own port is not known is opened on every port',
    'rules that name methods or paths do not hold for plain TCP',
    'what leaves the mesh is kept to its hosts by the caller’s own proxy, which an application can go around',
    'in ambient mode, methods and paths are read by a waypoint alone: who goes around it is let in by port',
  ],
  perNamespace: /(^|\/)(3-default-deny|4-guard)\//,
  dryRun,
  writesEgress: true,
  render,
}
