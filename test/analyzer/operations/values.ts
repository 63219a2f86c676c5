import type { ParameterForm } from '../../openapi/routes.ts'
import { hash32, hex, random, uuid } from '../../scenarios/random.ts'

/** Words that also occur as names in paths are among them on purpose: a user may be called `search`. */
const FIRST =
  'blue red quiet north old new big small fast deep acme globex initech umbrella stark wayne data test admin home main dev prod beta alpha eu us api web mobile billing search team open dark light green silver golden iron wild calm'.split(
    ' ',
  )
const SECOND =
  'mountain river house cat fox bird stone tree cloud road lake field bridge tower garden market harbor valley island forest engine rocket signal mirror anchor canvas lantern compass orchid falcon project service group board report release'.split(
    ' ',
  )
const NAMES =
  'anna ben chen dana emil fatima george hana ivan julia karim lena marco nora omar petra quinn rosa samir tina'.split(
    ' ',
  )

/**
 * The value of entity `index` of a parameter. Whole numbers, UUIDs and so on where the description says so; else what a
 * hash of the parameter's name decides, as the operations of an API agree on a parameter's form.
 *
 * @param slugs the share of entities whose value is a slug, whatever the description says
 */
export function valueFor(
  api: string,
  name: string,
  form: ParameterForm | undefined,
  index: number,
  slugs: number,
): string {
  const values = form?.values ?? []
  if (values.length > 0) return values[index % values.length] ?? ''
  const draw = random(index, `${api} ${name}`)
  if (draw() < slugs) return slug(index, draw)
  if (form?.type === 'integer' || form?.type === 'number') return String(1 + index * 7 + Math.floor(draw() * 7))
  if (form?.format === 'uuid') return uuid(draw)
  if (form?.format === 'date') return new Date(1.6e12 + index * 86_400_000).toISOString().slice(0, 10)
  if (form?.format === 'ipv4') return [10, index >> 8, index & 255, Math.floor(draw() * 255)].join('.')
  if (/mail/i.test(name)) return `${pick(NAMES, draw)}.${index}@example.com`
  return FORMS[hash32(`${api} ${name}`) % FORMS.length]?.(index, draw) ?? ''
}

const FORMS: ((index: number, draw: () => number) => string)[] = [
  slug,
  slug,
  slug,
  (_, draw) => hex(24, draw),
  (_, draw) => uuid(draw),
  (index) => String(1000 + index * 13),
  (index, draw) => `${pick(NAMES, draw)}.${pick(NAMES, draw)}${index}`,
  (_, draw) => `${Buffer.from(hex(22, draw), 'hex').toString('base64url').slice(0, 14)}==`,
  (_, draw) => `cus_${hex(14, draw)}`,
  (_, draw) =>
    Array.from({ length: 22 }, () =>
      pick([...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'], draw),
    ).join(''),
]

/** Distinct for each index: a name of one word for some, of two, three, or with a number for the others. */
function slug(index: number, draw: () => number): string {
  if (index < FIRST.length / 2) return FIRST[index * 2] ?? ''
  const first = pick(FIRST, draw)
  const second = pick(SECOND, draw)
  const form = Math.floor(draw() * 5)
  if (form === 0) return `${first}-${second}-${index}`
  if (form === 1) return `${first}_${second}${index.toString(36)}`
  if (form === 2) return `${second}${index.toString(36)}`
  if (form === 3) return `${first}-${index.toString(36)}-${second}`
  return `${second}-${index}`
}

const pick = <T>(from: readonly T[], draw: () => number): T => from[Math.floor(draw() * from.length)] as T
