import type { ReplayRequest } from '../request.ts'
import { every, not, some, type Tri } from '../tri.ts'

/** A node of a permission or principal tree as a question to a request; what is missing goes to `missing`. */
export type Check = (request: ReplayRequest, missing: Set<string>) => Tri

export const ALWAYS: Check = () => 'yes'

/** A check that names what it lacks when it cannot tell. */
export function about(what: string, test: (request: ReplayRequest) => Tri): Check {
  return (request, missing) => {
    const value = test(request)
    if (value === 'unknown') missing.add(what)
    return value
  }
}

/** Something that telemetry does not tell. */
export function untold(what: string): Check {
  return about(what, () => 'unknown')
}

export function allOf(checks: readonly Check[]): Check {
  return (request, missing) => quietly(missing, (own) => every(checks, (check) => check(request, own)))
}

export function anyOf(checks: readonly Check[]): Check {
  return (request, missing) => quietly(missing, (own) => some(checks, (check) => check(request, own)))
}

export function none(check: Check): Check {
  return (request, missing) => not(check(request, missing))
}

// What an alternative lacked does not matter once another decided.
function quietly(missing: Set<string>, decide: (own: Set<string>) => Tri): Tri {
  const own = new Set<string>()
  const value = decide(own)
  if (value === 'unknown') for (const what of own) missing.add(what)
  return value
}
