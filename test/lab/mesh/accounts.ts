import type { Account } from './applications.ts'

const NAMES = ['ada', 'ben', 'cleo', 'dan', 'eve', 'finn', 'gus', 'hana', 'ida', 'jan', 'kim', 'lou']

/** The users of the mesh: every third one is staff and logs in with a key, the others with a password alone. */
export const ACCOUNTS: readonly Account[] = NAMES.map((name, index) =>
  index % 3 === 0
    ? {
        name,
        password: `${name}-secret`,
        groups: ['staff', 'customers'],
        acr: 'urn:mfa:phishing-resistant',
        amr: ['hwk', 'user'],
      }
    : { name, password: `${name}-secret`, groups: ['customers'], acr: 'urn:pwd', amr: ['pwd'] },
)
