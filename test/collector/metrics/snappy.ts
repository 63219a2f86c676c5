import { createRequire } from 'node:module'

/** Packs with the package snappyjs, which has no types of its own: another implementation than the one that is tested. */
export const compress = (createRequire(import.meta.url)('snappyjs') as { compress(plain: Buffer): Buffer }).compress
