import { hex, type Random, random, uuid } from './random.ts'
import { DAY_MS } from './rhythm.ts'

type ValueType = 'int' | 'uuid' | 'hex' | 'date' | 'slug' | 'sku' | 'sequence'

/** Parameters of paths: their type, which becomes the template's `{type}`, and how many distinct values exist. */
const PARAMETERS: Record<string, { type: ValueType; values: number; from?: number }> = {
  account: { type: 'int', values: 20_000, from: 100_000 },
  campaign: { type: 'slug', values: 12 },
  carrier: { type: 'slug', values: 5 },
  cart: { type: 'uuid', values: 8_000 },
  category: { type: 'slug', values: 40 },
  customer: { type: 'uuid', values: 6_000 },
  day: { type: 'date', values: 1 },
  image: { type: 'hex', values: 3_000 },
  invoice: { type: 'int', values: 15_000, from: 2_000_000 },
  'next-account': { type: 'sequence', values: 1, from: 100_000 },
  'next-invoice': { type: 'sequence', values: 1, from: 2_000_000 },
  order: { type: 'uuid', values: 20_000 },
  page: { type: 'int', values: 9, from: 1 },
  payment: { type: 'uuid', values: 10_000 },
  product: { type: 'slug', values: 60 },
  promotion: { type: 'slug', values: 30 },
  session: { type: 'hex', values: 10_000 },
  shipment: { type: 'int', values: 12_000, from: 740_000_000 },
  size: { type: 'slug', values: 4 },
  sku: { type: 'sku', values: 4_000 },
  table: { type: 'slug', values: 8 },
  word: { type: 'slug', values: 40 },
}

const WORDS =
  'amber arctic birch blue boreal brass calm cedar clay copper coral cotton deep ember fern field flint glass gold granite green harbour hazel iron ivory jade lake linen lunar maple marble meadow mint moss north oak ocean olive onyx opal pearl pine plain quartz rain red ridge river rust sage sand sea shadow silk silver sky slate snow south steel stone storm sun teak tide velvet walnut west wild willow wind winter wool'.split(
    ' ',
  )

/** The values that paths are filled with. Popular ones come more often, as products and customers do. */
export interface Values {
  /** The next value of parameter `index`; `timeMs` is used for dates only. */
  draw(index: number, timeMs: number, draw: Random): string
}

export const parameterNames = Object.keys(PARAMETERS)

/** The template's placeholder of parameter `index`, as `{uuid}`. */
export function placeholder(index: number): string {
  const type = PARAMETERS[parameterNames[index] ?? '']?.type ?? 'slug'
  return `{${type === 'sequence' ? 'int' : type}}`
}

export function createValues(seed: number): Values {
  const pools = parameterNames.map((name) => createPool(name, random(seed, `values ${name}`)))
  const next = parameterNames.map((name) => PARAMETERS[name]?.from ?? 0)
  const types = parameterNames.map((name) => PARAMETERS[name]?.type)
  return {
    draw(index, timeMs, draw) {
      const pool = pools[index] ?? []
      if (pool.length > 1) {
        const skewed = draw()
        return pool[Math.floor(skewed * skewed * pool.length)] ?? ''
      }
      if (types[index] === 'date') return new Date(timeMs - DAY_MS).toISOString().slice(0, 10)
      const value = next[index] ?? 0
      next[index] = value + 1
      return String(value)
    },
  }
}

function createPool(name: string, draw: Random): string[] {
  const { type, values, from = 0 } = PARAMETERS[name] ?? { type: 'slug', values: 1 }
  if (values === 1) return []
  return Array.from({ length: values }, (_, i) => makeValue(type, from + i, values, draw))
}

function makeValue(type: ValueType, number: number, values: number, draw: Random): string {
  const word = () => WORDS[Math.floor(draw() * WORDS.length)] ?? 'plain'
  switch (type) {
    case 'uuid':
      return uuid(draw)
    case 'hex':
      return hex(24, draw)
    case 'sku':
      return `SKU-${hex(3, draw).toUpperCase()}-${10_000 + number}`
    case 'slug':
      return values <= WORDS.length ? (WORDS[number] ?? 'plain') : `${word()}-${word()}-${number}`
    default:
      return String(number)
  }
}

/** How many distinct values parameter `index` can take (`sequence`: as many as are asked for, told as 0). */
export function poolSize(index: number): number {
  const parameter = PARAMETERS[parameterNames[index] ?? '']
  return parameter?.type === 'sequence' ? 0 : (parameter?.values ?? 0)
}
