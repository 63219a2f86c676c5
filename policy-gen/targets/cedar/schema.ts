/** The schema of the policies, which also says what an enforcement point passes with a request. */
export const SCHEMA = `namespace Cinch {
  /// Who asks, as its certificate says: a SPIFFE ID without "spiffe://". The id is empty where there is no mutual TLS.
  entity Identity;

  /// What is asked: an application. Its tags are the labels that its pods have, whatever their version.
  entity Callee = {
    "cluster": String,
    "namespace": String,
    "workload": String
  } tags String;

  /// One HTTP or gRPC request, or one TCP connection, which has no method and no path.
  /// port: the port that the callee's pod listens on.
  /// path: as the proxy normalised it, without the query.
  /// user: for whom the request is made, as a token says that was verified; absent without one.
  action "request" appliesTo {
    principal: [Identity],
    resource: [Callee],
    context: {
      "port": Long,
      "method"?: String,
      "path"?: String,
      "user"?: {
        "issuer": String,
        "groups": Set<String>
      }
    }
  };
}
`
