import type { PolicyDiff, RuleUse } from '../../model/diff.ts'
import { type Command, table, toJson } from '../command.ts'
import { WINDOW } from '../options.ts'
import { GENERATE, policiesIn } from './policies.ts'

/** Of each list, for people; JSON has all. */
const ROWS_MAX = 20

export const diffCommand: Command = {
  name: 'policies diff',
  usage: 'DEPLOYED_DIR [options]',
  summary: 'what deployed policies lack, what nobody uses, and what is wider than its use; exit 1 when there is any',
  options: {
    ...(GENERATE['principal'] ? { principal: GENERATE['principal'] } : {}),
    ...(GENERATE['selector'] ? { selector: GENERATE['selector'] } : {}),
    ...WINDOW,
  },
  run: async ({ args, backend, print }) => {
    const files = policiesIn(args, 'policies diff')
    const [principal, selector] = [args.text('principal'), args.text('selector')]
    const rules = { ...(principal ? { principal } : {}), ...(selector ? { selector } : {}) }
    const window = { since: args.text('since'), until: args.text('until') }
    const result = await (await backend()).diff(files, window, rules)
    print(args.flag('json') ? toJson(result) : describe(result))
    const { grant, revoke, restrict, shadowed } = result
    return [grant, revoke, restrict, shadowed].some((list) => list.length > 0) ? 1 : 0
  },
}

function describe({
  window,
  days,
  requests,
  grant,
  revoke,
  restrict,
  shadowed,
  kept,
  unread,
  uncertain,
}: PolicyDiff): string {
  const guards = [...new Set(revoke.flatMap((rule) => rule.guards))]
  const lists = [
    list(
      'grant: used, and not allowed by what is deployed',
      ['caller', 'callee', 'method', 'path', 'requests', 'why'],
      grant.map((call) => [call.source, call.destination, call.method, call.path, call.requests, call.reason]),
    ),
    list(`revoke: not used in ${days} days`, RULE_HEADER, revoke.map(ruleCells)),
    ...(guards.length > 0 ? [`  do not revoke yet: ${guards.join('; ')}`] : []),
    list(
      'restrict: wider than its use',
      [...RULE_HEADER, 'used for'],
      restrict.map((rule) => [...ruleCells(rule), usesOf(rule)]),
    ),
    list(
      'shadowed: another rule allows the same',
      [...RULE_HEADER, 'by'],
      shadowed.map((rule) => [...ruleCells(rule), rule.by]),
    ),
    list(
      'not taken apart: of their use nothing is said',
      ['file', 'rule', 'why'],
      unread.map(({ file, rule, reason }) => [file, rule, reason]),
    ),
  ]
  const sum = `grant ${grant.length}, revoke ${revoke.length}, restrict ${restrict.length}, shadowed ${shadowed.length}, as it should be ${kept}`
  const open = `of ${uncertain.toLocaleString('en')} requests it cannot be told whether what is deployed allows them: see policies replay`
  return [
    `${window.since} to ${window.until}: ${requests.toLocaleString('en')} requests`,
    sum,
    ...(uncertain > 0 ? [open] : []),
    ...lists,
  ]
    .filter((text) => text !== '')
    .join('\n')
}

const RULE_HEADER = ['rule', 'caller', 'port', 'method', 'path']

function ruleCells({
  rule,
  source,
  port,
  method,
  path,
}: Pick<RuleUse, 'rule' | 'source' | 'port' | 'method' | 'path'>) {
  return [rule, source || 'anybody', port === 0 ? 'any' : String(port), method || 'any', path || 'any']
}

function usesOf({ used_for }: RuleUse): string {
  const [first, ...more] = used_for.map(({ source, method, path }) => `${source} ${method} ${path}`)
  return more.length > 0 ? `${first} and ${more.length} more` : (first ?? '')
}

function list(title: string, header: string[], rows: (string | number)[][]): string {
  if (rows.length === 0) return ''
  const more = rows.length > ROWS_MAX ? `\n… and ${rows.length - ROWS_MAX} more: see --json` : ''
  return `\n${title}:\n${table(header, rows.slice(0, ROWS_MAX))}${more}`
}
