/** Addresses that nobody names are folded by their network: an IPv4 /16, an IPv6 /64. */
export function networkOf(address: string): string {
  const quads = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(address)
  if (quads) return `${quads[1]}.${quads[2]}.0.0/16`
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? 0 : tail.split(':').length
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - groups.length - behind) }, () => '0')
  const [a, b, c, d] = [...groups, ...zeros, ...(tail ? tail.split(':') : [])]
  return `${[a, b, c, d].map((group) => group ?? '0').join(':')}::/64`
}
