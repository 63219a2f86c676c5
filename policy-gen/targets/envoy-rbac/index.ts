import type { Target } from '../target.ts'
import { render } from './render.ts'

export const envoyRbac: Target = {
  id: 'envoy-rbac',
  title: 'Envoy RBAC filters (enforced, and shadow)',
  limits: [
    'callers without mutual TLS have no identity: their requests cannot be allowed by name',
    'plain TCP is decided by a filter of its own, on ports at which no method and no path was named; elsewhere it is not decided',
    'a path parameter has no "[", "]" or "/"; before Envoy 1.35 also no "*" where it is a whole segment',
    'ports are the ports of the workload; a callee whose own port is not known is opened on every port',
    'there is no default: a callee of which nothing was seen that can be granted gets no file',
    'the files are filters: whoever builds the proxies puts them before the router, and requires client certificates',
  ],
  dryRun: (files) => files.filter(({ path }) => /(^|\/)1-shadow\//.test(path)),
  enforced: (files) => files.filter(({ path }) => /(^|\/)2-enforce\//.test(path)),
  render,
}
