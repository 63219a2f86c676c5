import type { LinkGrade } from '../../../services/model/directory.ts'
import { type Random, random, uuid } from '../../scenarios/random.ts'

/** What a generated change is: found again by its key, with the grade that is true of it. */
export interface Planted {
  key: string
  what: string
  grade: LinkGrade
  /** True where nothing valid led to it: what the product must say. */
  unlinked: boolean
}

/** Lines of the systems' own formats, by source. */
export interface World {
  lines: { okta: string[]; keycloak: string[]; 'istio-json': string[] }
  planted: Planted[]
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const PEOPLE = 24

interface Person {
  okta: string
  keycloak: string
  mail: string
  home: string
  agent: string
}

/** A year of sign-ins, requests and changes; from `start` on, and changes are only what they are planted as. */
export function world(seed: number, start: number, days: number): World {
  const draw = random(seed, 'directory')
  const made: World = { lines: { okta: [], keycloak: [], 'istio-json': [] }, planted: [] }
  // Every third shares the office's address with others: an address alone says nothing.
  const people = Array.from(
    { length: PEOPLE },
    (_, index): Person => ({
      okta: `00u${seed}${index}`,
      keycloak: uuid(draw),
      mail: `person${index}@shop.example`,
      home: index % 3 === 0 ? '192.0.2.1' : `198.51.100.${index + 1}`,
      agent: `Browser/${index % 5}`,
    }),
  )
  for (let day = 0; day < days; day++) {
    const midnight = start + day * DAY_MS
    jobs(made, midnight, day, days, draw)
    for (const person of people) {
      // Each does one thing a day, so that what is true of a change is known; on the day before a planted break-in nobody signs in.
      const roll = draw()
      const at = midnight + 7 * HOUR_MS + Math.floor(draw() * 8 * HOUR_MS)
      if (day % 3 !== 0) continue
      const scenario = SCENARIOS.find(({ share }) => roll < share)
      scenario?.play({ made, person, at, draw, other: people[(people.indexOf(person) + 3) % PEOPLE] ?? person })
    }
  }
  return made
}

interface Play {
  made: World
  person: Person
  other: Person
  at: number
  draw: Random
}

/** Cumulated shares of the days on which they happen, and what is true of the changes in them. */
const SCENARIOS: { share: number; play: (play: Play) => void }[] = [
  {
    share: 0.2,
    play: ({ made, person, at, draw }) => {
      const session = uuid(draw)
      okta(made, 'user.session.start', person, at, { session })
      // From another address: a laptop on its way. The session says it all.
      for (let i = 0; i < 2; i++)
        change(
          made,
          { what: 'session', grade: 3, unlinked: false },
          okta(made, 'group.user_membership.add', { ...person, home: '203.0.113.77' }, at + (i + 1) * HOUR_MS, {
            session,
          }),
        )
    },
  },
  {
    share: 0.4,
    play: ({ made, person, at, draw }) => {
      // The clock of the identity provider is up to four minutes ahead of that of its administration.
      keycloakLogin(made, person, at + (draw() < 0.3 ? 4 * MINUTE_MS : -MINUTE_MS), uuid(draw))
      change(made, { what: 'client and address', grade: 2, unlinked: false }, keycloakChange(made, person, at))
      change(
        made,
        { what: 'later that day', grade: 2, unlinked: false },
        keycloakChange(made, person, at + 6 * HOUR_MS),
      )
    },
  },
  {
    share: 0.5,
    play: ({ made, person, at, draw }) => {
      const id = uuid(draw)
      request(made, person.mail, person.home, person.agent, at, id)
      // Delegated: the portal's own account does what the person asked for.
      change(
        made,
        { what: 'delegated', grade: 3, unlinked: false },
        okta(made, 'user.account.update_profile', PORTAL, at + 20_000, { request: id, type: 'PublicClientApp' }),
      )
    },
  },
  {
    share: 0.6,
    play: ({ made, person, at, draw }) => {
      for (let i = 0; i < 3; i++) request(made, person.mail, person.home, person.agent, at + i * MINUTE_MS, uuid(draw))
      change(
        made,
        { what: 'requests', grade: 2, unlinked: false },
        okta(made, 'user.account.update_profile', person, at + 4 * MINUTE_MS, {}),
      )
    },
  },
  {
    share: 0.72,
    play: ({ made, person, at, draw }) => {
      keycloakLogin(made, person, at, uuid(draw))
      change(
        made,
        { what: 'roamed', grade: 1, unlinked: false },
        keycloakChange(made, { ...person, home: '203.0.113.200' }, at + 2 * HOUR_MS),
      )
      change(
        made,
        { what: 'another client', grade: 1, unlinked: false },
        keycloakChange(made, person, at + 3 * HOUR_MS, 'admin-cli'),
      )
    },
  },
  {
    share: 0.78,
    play: ({ made, person, at, draw }) => {
      const session = uuid(draw)
      okta(made, 'user.session.start', person, at, { session })
      okta(made, 'user.session.end', person, at + HOUR_MS, { session })
      change(
        made,
        { what: 'after the session', grade: 1, unlinked: false },
        okta(made, 'group.user_membership.add', person, at + 2 * HOUR_MS, { session }),
      )
    },
  },
  {
    share: 0.82,
    play: ({ made, person, at }) =>
      change(
        made,
        { what: 'without a sign-in', grade: 0, unlinked: true },
        okta(made, 'user.mfa.factor.deactivate', person, at, {}),
      ),
  },
  {
    share: 0.86,
    play: ({ made, person, at }) => {
      okta(made, 'user.session.start', person, at - MINUTE_MS, { outcome: 'FAILURE' })
      change(
        made,
        { what: 'after a sign-in that failed', grade: 0, unlinked: true },
        okta(made, 'user.account.reset_password', person, at, {}),
      )
    },
  },
  {
    share: 0.9,
    play: ({ made, person, other, at, draw }) => {
      // Somebody else's session and address, in the name of one who was not there.
      const session = uuid(draw)
      okta(made, 'user.session.start', { ...other, okta: `${other.okta}x`, mail: `x${other.mail}` }, at - HOUR_MS, {
        session,
      })
      change(
        made,
        { what: 'with the session of another', grade: 0, unlinked: true },
        okta(made, 'group.privilege.grant', { ...person, home: other.home }, at, { session }),
      )
    },
  },
  {
    share: 0.93,
    play: ({ made, person, at, draw }) => {
      request(made, `y${person.mail}`, person.home, person.agent, at - MINUTE_MS, uuid(draw))
      keycloakLogin(made, person, at - 30 * HOUR_MS, uuid(draw))
      change(made, { what: 'long after the sign-in', grade: 0, unlinked: true }, keycloakChange(made, person, at))
    },
  },
  {
    share: 0.95,
    play: ({ made, at, draw }) =>
      change(
        made,
        { what: 'a machine does something new', grade: 0, unlinked: true },
        okta(made, `custom.create.${uuid(draw)}`, SYNC, at, { type: 'SystemPrincipal' }),
      ),
  },
]

const PORTAL: Person = { okta: 'portal', keycloak: 'portal', mail: 'portal', home: '10.0.0.9', agent: 'portal/1' }
const SYNC: Person = { okta: 'sync', keycloak: 'sync', mail: 'sync', home: '10.0.0.8', agent: 'sync/1' }

/** Synchronisation from the staff's directory: every night, without a sign-in; the first weeks teach it. */
function jobs(made: World, midnight: number, day: number, days: number, draw: Random): void {
  const event = okta(made, 'user.lifecycle.create', SYNC, midnight + 2 * HOUR_MS + Math.floor(draw() * 600_000), {
    type: 'SystemPrincipal',
  })
  if (day > 10 && day < days) change(made, { what: 'a job', grade: 0, unlinked: false }, event)
}

function change(made: World, planted: Omit<Planted, 'key'>, key: string): void {
  made.planted.push({ key, ...planted })
}

let events = 0

function okta(
  made: World,
  eventType: string,
  person: Person,
  at: number,
  more: { session?: string; request?: string; type?: string; outcome?: string },
): string {
  const key = `okta-${++events}`
  made.lines.okta.push(
    JSON.stringify({
      uuid: key,
      published: new Date(at).toISOString(),
      eventType,
      actor: { id: person.okta, type: more.type ?? 'User', alternateId: person.mail },
      client: { ipAddress: person.home, userAgent: { rawUserAgent: person.agent } },
      outcome: { result: more.outcome ?? 'SUCCESS' },
      authenticationContext: { externalSessionId: more.session ?? 'unknown' },
      debugContext: { debugData: { requestId: more.request ?? `r${key}` } },
      transaction: { type: 'WEB', id: `t${key}` },
      target: [{ id: 't', type: 'User', alternateId: 'target@shop.example' }],
    }),
  )
  return key
}

function keycloakLogin(made: World, person: Person, time: number, sessionId: string): void {
  const details = { username: person.mail, code_id: sessionId }
  made.lines.keycloak.push(
    JSON.stringify({
      id: `kc-${++events}`,
      time,
      type: 'LOGIN',
      realmId: 'shop',
      clientId: 'console',
      userId: person.keycloak,
      sessionId,
      ipAddress: person.home,
      details,
    }),
  )
}

function keycloakChange(made: World, person: Person, time: number, clientId = 'console'): string {
  const id = `kc-${++events}`
  const authDetails = { realmId: 'shop', clientId, userId: person.keycloak, ipAddress: person.home }
  made.lines.keycloak.push(
    JSON.stringify({
      id,
      time,
      realmId: 'shop',
      authDetails,
      operationType: 'UPDATE',
      resourceType: 'USER',
      resourcePath: 'users/1',
      representation: '{"enabled":true}',
    }),
  )
  return id
}

/** As the gateway logs it: it verified the user's token. */
function request(made: World, sub: string, client: string, userAgent: string, at: number, id: string): void {
  made.lines['istio-json'].push(
    JSON.stringify({
      start_time: new Date(at).toISOString(),
      method: 'POST',
      path: '/admin/users',
      protocol: 'HTTP/1.1',
      response_code: 200,
      response_flags: '-',
      authority: 'admin.shop',
      request_id: id,
      user_agent: userAgent,
      downstream_remote_address: `${client}:40000`,
      downstream_direct_remote_address: `${client}:40000`,
      downstream_local_address: '10.0.0.2:8080',
      upstream_cluster: 'outbound|80||admin.shop.svc.cluster.local',
      upstream_host: '10.0.0.3:8080',
      jwt: { iss: 'https://idp.example', sub },
    }),
  )
}
