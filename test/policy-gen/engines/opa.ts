import { targets } from '../../../policy-gen/targets/index.ts'
import { regoEngine } from '../../../services/api/opa.ts'
import { engineBinary } from '../../lab/engines/setup.ts'
import { required } from '../../requirements.ts'

const program = engineBinary('opa')

/** OPA, as replay uses it; null where it is not set up. */
export const rego = program === undefined ? null : regoEngine(program)

/** The targets whose policies this machine can decide about. */
export const decidable = targets.filter(({ id }) => id !== 'opa-rego' || rego || required('CINCH_REQUIRE_ENGINES'))
