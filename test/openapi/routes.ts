/** An API's operations, as its description tells them. */
export interface Description {
  name: string
  routes: Route[]
}

export interface Route {
  method: string
  /** With the base path; parameters in braces: `/v1/users/{id}`. */
  path: string
  parameters: Record<string, ParameterForm>
}

export interface ParameterForm {
  type: string
  format: string
  values: string[]
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'] as const

interface Parameter {
  $ref?: string
  in?: string
  name?: string
  schema?: { $ref?: string; type?: string; format?: string; enum?: unknown[] }
}

interface OpenApi {
  servers?: { url: string }[]
  paths: Record<string, Record<string, unknown> & { parameters?: Parameter[] }>
}

/** Reads an OpenAPI 3 document. Of paths that differ only in a parameter's name, one is kept. */
export function routesOf(name: string, document: OpenApi): Description {
  const resolve = <T extends { $ref?: string }>(value: T): T => {
    if (value.$ref === undefined) return value
    let found: unknown = document
    for (const key of value.$ref.replace(/^#\//, '').split('/'))
      found = (found as Record<string, unknown> | undefined)?.[
        decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')
      ]
    return (found ?? {}) as T
  }
  const base = basePath(document.servers?.[0]?.url ?? '')
  const routes = new Map<string, Route>()
  for (const [path, item] of Object.entries(document.paths)) {
    // A fragment or a query in a path is a way of writing a description down, not of asking.
    const plain = base + path.replace(/[?#].*$/, '')
    for (const method of METHODS) {
      const operation = item[method] as { parameters?: Parameter[] } | undefined
      if (!operation) continue
      const parameters: Route['parameters'] = {}
      for (const parameter of [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve)) {
        if (parameter.in !== 'path' || parameter.name === undefined) continue
        const { type = 'string', format = '', enum: values = [] } = resolve(parameter.schema ?? {})
        parameters[parameter.name] = { type, format, values: values.map(String) }
      }
      const key = `${method} ${plain.replace(/\{[^}]*\}/g, '{}')}`
      if (!routes.has(key)) routes.set(key, { method: method.toUpperCase(), path: plain, parameters })
    }
  }
  return { name, routes: [...routes.values()] }
}

function basePath(url: string): string {
  const path = url.replace(/^[a-z]+:\/\/[^/]*/, '').replace(/\/+$/, '')
  return path.startsWith('/') && !path.includes('{') ? path : ''
}
