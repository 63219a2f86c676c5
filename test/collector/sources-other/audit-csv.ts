/** A row of the recorded audit log: columns of the recording, in its order (see its README). */
export interface CsvEvent {
  time: string
  user: string
  verb: string
  resource: string
  subresource: string
  name: string
  namespace: string
  uri: string
  id: string
  stage: string | undefined
  code: string | undefined
}

/** Rows of CSV: fields in double quotes may hold commas, and double quotes twice. */
export function readCsv(text: string): CsvEvent[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = [...line.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
      )
      const [
        ,
        time = '',
        user = '',
        verb = '',
        resource = '',
        subresource = '',
        name = '',
        namespace = '',
        uri = '',
        id = '',
        stage,
        code,
      ] = fields.length > 12 ? fields : fields.slice(0, 10)
      return { time, user, verb, resource, subresource, name, namespace, uri, id, stage, code }
    })
}

/** The events as the API server writes them: `audit.k8s.io/v1`, one JSON object a line. */
export function auditEvents(events: CsvEvent[]): string {
  return events
    .map(({ time, user, verb, resource, subresource, name, namespace, uri, id, stage, code }) =>
      JSON.stringify({
        kind: 'Event',
        apiVersion: 'audit.k8s.io/v1',
        level: 'Metadata',
        auditID: id,
        stage,
        requestURI: uri,
        verb,
        user: { username: user, groups: ['system:authenticated'] },
        objectRef: resource === '' ? undefined : { resource, subresource, name, namespace },
        responseStatus: { metadata: {}, code: Number(code) },
        requestReceivedTimestamp: time,
        stageTimestamp: time,
      }),
    )
    .map((line) => `${line}\n`)
    .join('')
}
