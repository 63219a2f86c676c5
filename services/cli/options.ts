import { type ParseArgsConfig, parseArgs } from 'node:util'
import { CinchError } from '../model/errors.ts'
import { DEFAULT_STORE, parseStoreLocation, type StoreLocation } from '../store/location.ts'

type OptionsConfig = NonNullable<ParseArgsConfig['options']>

/** One option of a command, as parsed and as the help shows it. */
export interface Option {
  type: 'string' | 'boolean'
  short?: string
  multiple?: boolean
  /** What stands for the value in the help. */
  value?: string
  help: string
}

export type Options = Record<string, Option>

export const COMMON: Options = {
  store: {
    type: 'string',
    value: 'STORE',
    help: `chdb:<directory> or http(s)://… (default: $CINCH_STORE, else ${DEFAULT_STORE})`,
  },
  json: { type: 'boolean', help: 'print JSON' },
  help: { type: 'boolean', short: 'h', help: 'print this' },
}

export const WINDOW: Options = {
  since: {
    type: 'string',
    value: 'T',
    help: 'start: ISO 8601, or a span back from now such as 24h or 35d (default: all that is stored)',
  },
  until: { type: 'string', value: 'T', help: 'end, not included' },
}

export interface Arguments {
  text(name: string): string | undefined
  flag(name: string): boolean
  list(name: string): string[]
  positionals: string[]
}

/**
 * Parses a command's arguments.
 * @throws CinchError `usage` for options that it does not have
 */
export function parseArguments(args: string[], options: Options, command: string): Arguments {
  const config: OptionsConfig = Object.fromEntries(
    Object.entries({ ...COMMON, ...options }).map(([name, option]) => [
      name,
      {
        type: option.type,
        ...(option.short ? { short: option.short } : {}),
        ...(option.multiple ? { multiple: true } : {}),
      },
    ]),
  )
  try {
    const { values, positionals } = parseArgs({ args, options: config, allowPositionals: true, strict: true })
    return {
      text: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
      flag: (name) => values[name] === true,
      list: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
      positionals,
    }
  } catch (error) {
    throw new CinchError(
      'usage',
      error instanceof Error ? (error.message.split(/\.\s/)[0] ?? '') : String(error),
      `see cinch ${command} --help`,
    )
  }
}

export function storeLocation(given: string | undefined): StoreLocation {
  return parseStoreLocation(given ?? process.env['CINCH_STORE'] ?? DEFAULT_STORE)
}
