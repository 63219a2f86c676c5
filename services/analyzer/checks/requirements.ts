import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Requirement } from '../../model/check.ts'
import { packageRoot } from '../../store/root.ts'

/** A file for each document that is read; what each requirement asks for and maps to is data, so that no check names one. */
const DOCUMENTS = ['sp800-207a', 'sp800-204', 'sp800-207']

export const REQUIREMENTS: readonly Requirement[] = DOCUMENTS.flatMap((name) => {
  const path = join(packageRoot(), `services/analyzer/checks/requirements/${name}.json`)
  const { document, requirements } = JSON.parse(readFileSync(path, 'utf8')) as {
    document: string
    requirements: Omit<Requirement, 'document'>[]
  }
  return requirements.map((requirement) => ({ ...requirement, document }))
})
