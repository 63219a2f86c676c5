import { USERS_MIN } from '../../../policy-gen/conditions.ts'
import type { Generated } from '../../../policy-gen/generate.ts'
import { POLICY_FILE } from '../../../policy-gen/replay/formats.ts'
import { targets } from '../../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import type { PolicyOptions } from '../../api/routes/policies.ts'
import { CinchError } from '../../model/errors.ts'
import type { Permission } from '../../model/permission.ts'
import type { ReplayCall, ReplayResult } from '../../model/replay.ts'
import { type Command, table, toJson } from '../command.ts'
import { type Arguments, type Options, WINDOW } from '../options.ts'
import { checkOut, readFiles, writeFiles } from '../policy-files.ts'
import { printable } from '../printable.ts'

/** What policies are made of. */
export const GENERATE: Options = {
  target: {
    type: 'string',
    value: 'ID',
    help: `one of ${targets.map((target) => target.id).join(', ')} (default istio)`,
  },
  granularity: { type: 'string', value: 'G', help: 'workload, port, method or path (default path)' },
  evidence: {
    type: 'string',
    value: 'E',
    help: 'weakest evidence to use: verified, joined, address or claimed (default joined)',
  },
  principal: {
    type: 'string',
    value: 'RULE',
    help: "principals of callers known by a claimed name, such as 'cluster.local/ns/{namespace}/sa/{workload}'",
  },
  selector: {
    type: 'string',
    value: 'RULE',
    help: "labels of callees that no inventory knows, such as 'app={workload}'",
  },
  ambient: {
    type: 'string',
    value: 'NAMESPACES',
    help: "namespaces in Istio's ambient mode, such as shop,bank, or '*' for all",
  },
  support: { type: 'string', value: 'N', help: 'distinct days on which something must have been seen (default 1)' },
  replicas: {
    type: 'string',
    value: 'N',
    help: "distinct replicas that must have done something, or all of the caller's where it has fewer (default 1)",
  },
  baseline: { type: 'string', value: 'T', help: "what was first seen from then on waits for its owner's declaration" },
  incidents: { type: 'string', value: 'T/T,…', help: 'what was first seen within them teaches nothing: SINCE/UNTIL' },
  users: { type: 'boolean', help: 'ask for tokens where every request carried a user: of their issuers and groups' },
  'users-min': {
    type: 'string',
    value: 'N',
    help: `with --users: distinct users that this must be true of (default ${USERS_MIN})`,
  },
  ...WINDOW,
}

export function generateOptions(args: Arguments): PolicyOptions {
  const { users: _, 'users-min': __, ...texts } = GENERATE
  const given = Object.keys(texts).map((name) => [name, args.text(name)] as const)
  const usersMin = args.text('users-min')
  return {
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    ...(args.flag('users') ? { users: true } : {}),
    ...(usersMin === undefined ? {} : { users_min: Number(usersMin) }),
  }
}

export const generateCommand: Command = {
  name: 'policies generate',
  usage: '--target ID --out DIR [options]',
  summary: 'write least-privilege policies for what was observed, with their evidence',
  options: {
    out: {
      type: 'string',
      short: 'o',
      value: 'DIR',
      help: 'directory for the files; one that an earlier generate wrote is replaced',
    },
    ...GENERATE,
  },
  run: async ({ args, backend, print }) => {
    const out = args.text('out')
    if (!out) throw new CinchError('usage', 'no --out is given', 'give a directory for the files')
    checkOut(out)
    const generated = await (await backend()).generate(generateOptions(args))
    writeFiles(out, generated.files)
    print(
      args.flag('json')
        ? toJson({ out, files: generated.files.map((file) => file.path), report: generated.report })
        : describeGenerated(out, generated),
    )
    return 0
  },
}

function describeGenerated(out: string, { files, report }: Generated): string {
  const { principal, selector, ambient } = report.assumed
  const lines = [
    `${report.permissions.length} permissions in ${files.filter((file) => POLICY_FILE.test(file.path)).length} files in ${out}`,
    ...(principal ? [`ASSUMED: callers known by a claimed name have the principal ${principal}`] : []),
    ...(selector ? [`ASSUMED: callees that no inventory knows have the labels ${selector}`] : []),
    ...(ambient ? [`ASSUMED: in ambient mode: ${ambient.join(', ')}`] : []),
    ...describeUsers(report.permissions),
    ...reasons(report.skipped.map((skipped) => skipped.reason)),
    ...report.expired.map(
      ({ id, owner, expires }) => `declared by ${owner}, expired ${expires.slice(0, 10)}, not granted: ${id}`,
    ),
    ...(report.loss.length > 0
      ? [`${report.loss.length} losses, where the target cannot say exactly what was seen: see report.json`]
      : []),
    `next: cinch policies replay ${out}`,
  ]
  return lines.join('\n')
}

/** What was asked of users, and what of their owners; nothing where nobody wanted it. */
function describeUsers(permissions: Permission[]): string[] {
  const conditional = permissions.filter(({ conditions }) => conditions.length > 0).length
  const open = permissions.filter(({ unconditional }) => unconditional !== undefined)
  const machines = permissions.filter(({ questions = [] }) => questions.includes('machine_to_machine')).length
  if (conditional + open.length === 0) return []
  return [
    `${conditional} permissions ask for users of certain issuers and groups, ${open.length} ask for none: "unconditional" in report.json says why`,
    ...(machines > 0
      ? [`OWNERS: ${machines} permissions were never used on behalf of a user; say whether they are machine-to-machine`]
      : []),
  ]
}

const REASONS_MAX = 10

/** The most frequent reasons, each once. */
function reasons(all: string[]): string[] {
  const counts = [...Map.groupBy(all, (reason) => reason)]
    .map(([reason, same]) => ({ reason, times: same.length }))
    .sort((a, b) => b.times - a.times)
  const listed = counts.slice(0, REASONS_MAX).map(({ reason, times }) => `skipped ${times}: ${printable(reason)}`)
  return counts.length > REASONS_MAX
    ? [...listed, `… and ${counts.length - REASONS_MAX} more reasons: see report.json`]
    : listed
}

export const replayCommand: Command = {
  name: 'policies replay',
  usage: 'DIR [--since T] [--until T]',
  summary: 'what these policies would have done to the requests of a window; exit 1 when something would be denied',
  options: WINDOW,
  run: async ({ args, backend, print }) => {
    const files = policiesIn(args, 'policies replay')
    const result = await (await backend()).replay(files, { since: args.text('since'), until: args.text('until') })
    print(args.flag('json') ? toJson(result) : describeReplay(result))
    return result.newly_denied.length > 0 ? 1 : 0
  },
}

/** @throws CinchError `usage`, `bad_policy` */
export function policiesIn(args: Arguments, command: string): PolicyFile[] {
  const [dir] = args.positionals
  if (!dir || args.positionals.length > 1)
    throw new CinchError('usage', 'give one directory of policies', `cinch ${command} DIR`)
  const files = readFiles(dir)
  if (files.some((file) => POLICY_FILE.test(file.path))) return files
  throw new CinchError(
    'bad_policy',
    `${dir} holds no policies`,
    'give a directory with .yaml, .cedar or .rego files, such as cinch policies generate writes',
  )
}

function describeReplay(result: ReplayResult): string {
  const count = (value: number) => value.toLocaleString('en')
  const sum = (calls: ReplayCall[]) => count(calls.reduce((total, call) => total + call.requests, 0))
  const { denied_not_found } = result
  const missing = denied_not_found.length > 0 ? `, not found before and denied now ${sum(denied_not_found)}` : ''
  const list = (title: string, calls: ReplayCall[]) =>
    calls.length === 0
      ? []
      : [
          `\n${title}:`,
          table(
            ['caller', 'callee', 'method', 'path', 'requests', 'why'],
            calls
              .slice(0, 20)
              .map((call) => [call.source, call.destination, call.method, call.path, call.requests, call.reason]),
          ),
        ]
  return [
    `${sum(result.newly_denied)} of ${count(result.requests)} requests from ${result.window.since} to ${result.window.until} would have been denied`,
    `still allowed ${count(result.still_allowed)}, still denied ${count(result.still_denied)}${missing}, newly allowed ${sum(result.newly_allowed)}, uncertain ${sum(result.uncertain)}`,
    ...list('would be denied', result.newly_denied),
    ...list('not found before, would be denied', result.denied_not_found),
    ...list('would be newly allowed', result.newly_allowed),
    ...list('uncertain', result.uncertain),
    ...list('still refused; a permission needs the word of the callee’s owner', result.refused),
    ...result.declared.not_allowed.map(
      ({ id, kind, owner, why }) => `declared, and not allowed: ${kind} ${id} of ${owner}: ${why}`,
    ),
    ...result.declared.expired.map((id) => `declared, and expired: ${id}`),
  ].join('\n')
}
