import { runCases } from '../../../policy-gen/run-cases.ts'
import { regoEngineFor } from '../../api/opa.ts'
import { type Command, table, toJson } from '../command.ts'
import { policiesIn } from './policies.ts'

/** Needs no store: a pipeline runs it on the files alone. */
export const testCommand: Command = {
  name: 'policies test',
  usage: 'DIR',
  summary: 'run the allow and deny cases beside policies (tests.json) on the files alone; exit 1 when one fails',
  options: {},
  run: async ({ args, print }) => {
    const files = policiesIn(args, 'policies test')
    const { cases, failed } = runCases(files, regoEngineFor(files))
    const rows = failed.map((one) => [
      one.name,
      one.principal,
      `${one.namespace}/${one.workload}`,
      one.method,
      one.path,
      one.expect,
      one.is,
      one.why,
    ])
    const text = [
      `${(cases - failed.length).toLocaleString('en')} of ${cases.toLocaleString('en')} cases hold`,
      ...(rows.length > 0
        ? [table(['case', 'caller', 'callee', 'method', 'path', 'should', 'does', 'why'], rows)]
        : []),
    ]
    print(args.flag('json') ? toJson({ cases, failed }) : text.join('\n'))
    return failed.length > 0 ? 1 : 0
  },
}
