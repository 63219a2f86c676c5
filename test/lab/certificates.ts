import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const openssl = promisify(execFile)
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Files of a throw-away certificate authority. */
export interface Authority {
  certificate: string
  key: string
}

/** Files of one workload's X.509-SVID: leaf, its key, and the authority that its peers must be signed by. */
export interface WorkloadCertificate {
  certificate: string
  key: string
  authority: string
}

/**
 * A new certificate authority in `dir`, valid for one day, named after what it signs for.
 * @throws Error when openssl is missing or fails
 */
export async function createAuthority(dir: string, organization = 'cluster.local'): Promise<Authority> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const authority = { certificate: join(dir, 'authority.pem'), key: join(dir, 'authority.key') }
  const subject = ['-subj', `/O=${organization}`, '-days', '1']
  const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign']
  const out = ['-keyout', authority.key, '-out', authority.certificate]
  await sign(['req', '-x509', '-new', ...KEY, ...subject, ...extensions, ...out])
  return authority
}

/**
 * A certificate for `principal` (`cluster.local/ns/<namespace>/sa/<account>`), valid for one day, both client and server.
 * As in Istio its subject is empty, so that the SPIFFE ID in the (then critical) URI SAN is the only name: X509-SVID 4.1.
 * `otherNames` are for servers whose clients look for a host (`IP:127.0.0.1`, `DNS:localhost`).
 */
export async function issueCertificate(
  dir: string,
  authority: Authority,
  principal: string,
  otherNames: string[] = [],
): Promise<WorkloadCertificate> {
  const names = [`URI:spiffe://${principal}`, ...otherNames].join(',')
  return await issue(join(dir, principal.replaceAll('/', '_')), authority, `critical,${names}`, '/')
}

/** A server's certificate for a DNS name, as a public gateway has it: no SPIFFE ID. */
export async function issueServerCertificate(
  dir: string,
  authority: Authority,
  host: string,
): Promise<WorkloadCertificate> {
  return await issue(join(dir, host), authority, `DNS:${host}`, `/CN=${host}`)
}

async function issue(
  base: string,
  authority: Authority,
  subjectAltName: string,
  subject: string,
): Promise<WorkloadCertificate> {
  const request = `${base}.csr`
  const extensions = `${base}.ext`
  await writeFile(
    extensions,
    [
      'basicConstraints=critical,CA:FALSE',
      'keyUsage=critical,digitalSignature',
      'extendedKeyUsage=serverAuth,clientAuth',
      `subjectAltName=${subjectAltName}`,
    ].join('\n'),
  )
  const issued = { certificate: `${base}.pem`, key: `${base}.key`, authority: authority.certificate }
  await sign(['req', '-new', ...KEY, '-subj', subject, '-keyout', issued.key, '-out', request])
  const signer = ['-CA', authority.certificate, '-CAkey', authority.key, '-CAcreateserial', '-days', '1']
  await sign(['x509', '-req', '-in', request, ...signer, '-extfile', extensions, '-out', issued.certificate])
  return issued
}

async function sign(args: string[]): Promise<void> {
  try {
    await openssl('openssl', args, { timeout: 20_000 })
  } catch (error) {
    throw new Error('openssl cannot make the certificates of the lab; install openssl 3', { cause: error })
  }
}
