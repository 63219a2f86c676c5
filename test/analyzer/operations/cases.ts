import type { SeenPath } from '../../../services/analyzer/operations/rows.ts'

/** `count` different names, that no type tells. */
export function values(prefix: string, count: number): string[] {
  const word = (n: number) =>
    [...n.toString(26)].map((digit) => 'abcdefghijklmnopqrstuvwxyz'[Number.parseInt(digit, 26)]).join('')
  return Array.from({ length: count }, (_, at) => `${prefix}${word(at + 30)}`)
}

const each = (paths: string[], requests = 1, more: Partial<SeenPath> = {}): SeenPath[] =>
  paths.map((path) => ({ ...{ method: 'GET', path, requests, callers: ['shop'] }, ...more }))
const people = values('user', 12)
const numbers = Array.from({ length: 12 }, (_, at) => String(1000 + at * 17))

/** Files in directories of which each may hold any other. */
export const FILES = values('page', 120).map((name, at) => {
  const dirs = ['src', 'docs', 'lib', 'main', 'util']
  const depth = at % 5
  return `/files/${[...Array.from({ length: depth }, (_, level) => dirs[(at * 7 + level * 3 + (at >> 3)) % 5]), name].join('/')}.md`
})

/** What was seen, and the templates that it means. */
export const CASES: { name: string; seen: SeenPath[]; templates: string[] }[] = [
  { name: 'a name stays', seen: each(['/health'], 9), templates: ['GET /health'] },
  { name: 'too few requests are no template', seen: each(['/health'], 4), templates: [] },
  { name: 'numbers', seen: each(numbers.map((n) => `/orders/${n}`)), templates: ['GET /orders/{int}'] },
  {
    name: 'segments that the store replaced',
    seen: each(['/orders/{int}', '/t/{uuid}/x'], 9),
    templates: ['GET /orders/{int}', 'GET /t/{uuid}/x'],
  },
  { name: 'names of people', seen: each(people.map((user) => `/users/${user}`)), templates: ['GET /users/{value}'] },
  {
    name: 'a name beside values, by its rate',
    seen: [...each(people.map((user) => `/users/${user}`)), ...each(['/users/me'], 40)],
    templates: ['GET /users/me', 'GET /users/{value}'],
  },
  {
    name: 'a name beside values, by its callers, not often enough to be told',
    seen: [...each(people.map((user) => `/users/${user}`)), ...each(['/users/all'], 4, { callers: ['admin'] })],
    templates: ['GET /users/{value}'],
  },
  {
    name: 'a name beside values, by its callers, often enough',
    seen: [
      ...each([...people, ...people.map((one) => `${one}x`)].map((user) => `/users/${user}`)),
      ...each(['/users/all'], 6, { callers: ['admin'] }),
    ],
    templates: ['GET /users/all', 'GET /users/{value}'],
  },
  {
    name: 'a name beside values, by who uses it',
    seen: [
      ...each(
        people.map((user) => `/users/${user}`),
        1,
        { users: ['user'] },
      ),
      ...each(['/users/sync'], 5, { users: ['none'] }),
    ],
    templates: ['GET /users/sync', 'GET /users/{value}'],
  },
  {
    name: 'a name beside values, by its status',
    seen: [
      ...each(
        people.map((user) => `/users/${user}`),
        1,
        { statuses: ['2xx'] },
      ),
      ...each(['/users/login'], 5, { statuses: ['3xx'] }),
    ],
    templates: ['GET /users/login', 'GET /users/{value}'],
  },
  {
    name: 'a value of one method may be a name of another',
    seen: [...each(people.map((user) => `/users/${user}`)), ...each(['/users/search'], 9, { method: 'POST' })],
    templates: ['GET /users/{value}', 'POST /users/search'],
  },
  {
    name: 'resources that are used alike are not values',
    seen: ['sites', 'racks', 'cables', 'devices', 'tenants'].flatMap((name) => [
      ...each([`/${name}`], 20),
      ...each(numbers.map((n) => `/${name}/${n}`)),
      ...each(
        numbers.map((n) => `/${name}/${n}`),
        1,
        { method: 'DELETE' },
      ),
    ]),
    templates: ['sites', 'racks', 'cables', 'devices', 'tenants'].flatMap((name) => [
      `GET /${name}`,
      `GET /${name}/{int}`,
      `DELETE /${name}/{int}`,
    ]),
  },
  {
    name: 'file names',
    seen: each(numbers.map((n) => `/files/report-${n}.pdf`)),
    templates: ['GET /files/report-{int}.pdf'],
  },
  {
    name: 'a file of a version',
    seen: each(['/schemas/v1.json', '/schemas/v2.json'], 9),
    templates: ['GET /schemas/v1.json', 'GET /schemas/v2.json'],
  },
  {
    name: 'custom methods beside the resource',
    seen: [
      ...each(people.map((one) => `/jobs/${one}`)),
      ...each(
        people.map((one) => `/jobs/${one}:cancel`),
        1,
        { method: 'POST' },
      ),
      ...each(
        people.map((one) => `/jobs/${one}:retry`),
        1,
        { method: 'POST' },
      ),
    ],
    templates: ['GET /jobs/{value}', 'POST /jobs/{value}:cancel', 'POST /jobs/{value}:retry'],
  },
  {
    name: 'matrix parameters',
    seen: each(numbers.map((n) => `/maps;layer=${n}/tiles`)),
    templates: ['GET /maps;layer={int}/tiles'],
  },
  {
    name: 'keys in brackets',
    seen: each(numbers.map((n) => `/Users(${n})/Orders`)),
    templates: ['GET /Users{key}/Orders'],
  },
  {
    name: 'versions are names',
    seen: ['v1', 'v2'].flatMap((version) => each(numbers.map((n) => `/${version}/orders/${n}`))),
    templates: ['GET /v1/orders/{int}', 'GET /v2/orders/{int}'],
  },
  {
    name: 'a number that is a version is a name',
    seen: each(numbers.map((n) => `/2.0/orders/${n}`)),
    templates: ['GET /2.0/orders/{int}'],
  },
  {
    name: 'locales are names',
    seen: ['de-DE', 'en-US', 'fr-FR'].flatMap((locale) => each([`/${locale}/start`], 30)),
    templates: ['de-DE', 'en-US', 'fr-FR'].map((locale) => `GET /${locale}/start`),
  },
  {
    name: 'e-mail addresses',
    seen: each(people.flatMap((one) => [`/u/${one}@example.com`, `/u/${one}%40example.org`])),
    templates: ['GET /u/{email}'],
  },
  {
    name: 'base64',
    seen: each(
      people.map((one) => `/keys/${btoa(`${one}-secret`)}`).map((path) => (path.endsWith('=') ? path : `${path}=`)),
    ),
    templates: ['GET /keys/{base64}'],
  },
  {
    name: 'escaped slashes',
    seen: each(people.map((one) => `/projects/group%2F${one}`)),
    templates: ['GET /projects/{encoded}'],
  },
  {
    name: 'escapes of what needs none',
    seen: [...each(['/%75sers'], 3), ...each(['/users'], 3)],
    templates: ['GET /users'],
  },
  { name: 'a slash at the end is another path', seen: each(['/a/', '/a'], 9), templates: ['GET /a', 'GET /a/'] },
  {
    name: 'operations that requests name',
    seen: ['cart', 'order'].flatMap((operation) => each(['/graphql'], 9, { method: 'POST', operation })),
    templates: ['POST /graphql', 'POST /graphql'],
  },
  {
    name: 'gRPC teaches nothing: its paths are names',
    seen: each(values('/shop.Cart/Get', 12), 1, { named: true }),
    templates: [],
  },
  {
    name: 'refused and not found',
    seen: each(
      people.map((one) => `/admin/${one}`),
      0,
    ),
    templates: [],
  },
  {
    name: 'a name that looks like a random id, by its rate',
    seen: ['GET', 'PUT'].flatMap((method) => [
      ...each(['/schemas/classification-6VMVochwUWo'], 12, { method }),
      ...each(
        people.map((one, at) => `/schemas/${one}${one}${one}X${at}7`),
        1,
        { method },
      ),
    ]),
    templates: ['GET', 'PUT'].flatMap((method) => [
      `${method} /schemas/classification-6VMVochwUWo`,
      `${method} /schemas/{token}`,
    ]),
  },
  {
    name: 'a list of values in several operations, none of them with requests of its own',
    seen: ['npm', 'maven', 'ruby', 'docker', 'nuget'].flatMap((kind, at) =>
      ['', '/versions', '/restore'].flatMap((rest) => each([`/packages/${kind}${rest}`], 1 + ((at + rest.length) % 3))),
    ),
    templates: ['', '/restore', '/versions'].map((rest) => `GET /packages/{value}${rest}`),
  },
  {
    name: 'the same by callers of their own',
    seen: ['npm', 'maven', 'ruby', 'docker', 'nuget'].flatMap((kind) =>
      ['', '/versions', '/restore'].flatMap((rest) => each([`/packages/${kind}${rest}`], 2, { callers: [kind] })),
    ),
    templates: [],
  },
  { name: 'a tree of files', seen: each(FILES), templates: ['GET /files/{**}'] },
  {
    name: 'a tree of files beside names of another depth and method',
    seen: [
      ...each(FILES),
      ...each(['/files'], 9),
      ...each(
        people.map((one) => `/files/${one}`),
        1,
        { method: 'DELETE' },
      ),
    ],
    templates: ['GET /files/{**}', 'GET /files', 'DELETE /files/{value}'],
  },
  {
    name: 'a directory of other callers is no part of the tree',
    seen: [...each(FILES), ...each(['/files/keys/a/b', '/files/keys/c'], 6, { callers: ['admin'] })],
    templates: ['GET /files/{**}', 'GET /files/keys/a/b', 'GET /files/keys/c'],
  },
  {
    name: 'resources within resources are no tree',
    seen: people.flatMap((one) =>
      people.flatMap((two) =>
        each([
          `/u/${one}${two}`,
          `/u/${one}${two}/posts`,
          `/u/${one}/posts/${two}`,
          `/u/${one}/posts/${two}/likes/${two}${one}`,
        ]),
      ),
    ),
    templates: [
      '/u/{value}',
      '/u/{value}/posts',
      '/u/{value}/posts/{value}',
      '/u/{value}/posts/{value}/likes/{value}',
    ].map((path) => `GET ${path}`),
  },
  {
    name: 'operations of many values are no tree',
    seen: people.flatMap((one, at) => [
      ...each([`/1/cards/${one}`, `/1/cards/${one}/${one}field`], 1),
      ...['board', 'list', 'members'].flatMap((name) =>
        each([`/1/cards/${one}${at}/${name}`, `/1/cards/${one}${at}/${name}/${name}${one}`]),
      ),
    ]),
    templates: [
      ...['/1/cards/{value}', '/1/cards/{value}/{value}'],
      ...['board', 'list', 'members'].flatMap((name) => [
        `/1/cards/{value}/${name}`,
        `/1/cards/{value}/${name}/{value}`,
      ]),
    ].map((path) => `GET ${path}`),
  },
  {
    name: 'dot segments, braces, no path',
    seen: each(['/a/../b', '/a/{x}', '*', 'a/b', `/${'a/'.repeat(80)}`, `/${'a'.repeat(3000)}`], 9),
    templates: [],
  },
]
