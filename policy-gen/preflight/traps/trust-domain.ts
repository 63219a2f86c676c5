import { policyName, requestsOf, type Trap } from '../ground.ts'

/** One trust domain in two clusters makes one principal of two workloads: who is allowed in one is allowed from both. */
export const sharedTrustDomain: Trap = {
  id: 'shared_trust_domain',
  title: 'a principal that workloads of two clusters share',
  find: ({ authorization, operations }) => {
    const clusters = new Map<string, Set<string>>()
    for (const { source } of operations) {
      if (source.principal === '' || source.cluster === '') continue
      clusters.set(source.principal, (clusters.get(source.principal) ?? new Set()).add(source.cluster))
    }
    return authorization
      .filter(({ action }) => action === 'ALLOW')
      .flatMap((policy) => {
        const principals = policy.rules.flatMap(({ from }) =>
          from.flat().flatMap(({ field, values }) => (field === 'principals' ? values : [])),
        )
        return [...new Set(principals)].flatMap((principal) => {
          const within = [...(clusters.get(principal) ?? [])].sort()
          if (within.length < 2) return []
          return [
            {
              harm: 'opens' as const,
              file: policy.file,
              object: policyName(policy),
              what: `${principal} is a workload in each of ${within.join(', ')}: allowed for one, it is allowed from all`,
              fix: 'give each cluster a trust domain of its own, with aliases while it changes; or accept it, where they are one',
              requests: requestsOf(operations.filter(({ source }) => source.principal === principal)),
            },
          ]
        })
      })
  },
}
