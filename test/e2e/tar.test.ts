import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { tar } from '../../web/src/policy/tar.ts'

test('the archive is one that tar unpacks', () => {
  const long = `${'very-long-cluster-name/'.repeat(6)}1-allow/shop.api.yaml`
  const files = [
    { path: '1-allow/shop.api.yaml', content: 'a: 1\n' },
    { path: long, content: 'ü'.repeat(700) },
    { path: 'empty', content: '' },
  ]
  const archive = tar(files)
  const read = (...options: string[]) => execFileSync('tar', [...options], { input: archive, encoding: 'utf8' })
  expect(read('-tf', '-').trim().split('\n')).toEqual(files.map((file) => file.path))
  for (const { path, content } of files) expect(read('-xOf', '-', path)).toBe(content)
})

test('a path that fits no header is refused, not cut', () => {
  expect(() => tar([{ path: 'x'.repeat(300), content: '' }])).toThrow(/download this file by itself/)
})
