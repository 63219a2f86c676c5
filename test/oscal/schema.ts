import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'

const FILE = new URL('oscal_complete_schema-1.2.3.json', import.meta.url)
const SHA256 = '384324105c7a817af0f65b120a963146caa0e0d55d969cf0daf60e063b87a206'

/** What NIST's schema says against a document; empty where it is valid. @throws Error when the schema is not the one that was pinned */
export function createOscalValidator(): (document: unknown) => string[] {
  const text = readFileSync(FILE, 'utf8')
  if (createHash('sha256').update(text).digest('hex') !== SHA256) throw new Error('the schema was changed')
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  const validate = ajv.compile(JSON.parse(text))
  return (document) =>
    validate(document) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}
