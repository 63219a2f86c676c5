/**
 * The shop's workloads, one a line. Columns: namespace, workload, kind, service account, service it answers for (`-`: none),
 * ports of that service as `name:service port>workload port`, clusters, replicas a cluster, owning team.
 *
 * Two workloads may answer for one service: `orders-v2` is the canary of `orders`. `analytics` and `feature-store` share a
 * service account, and `thumbnailer` runs as `default`: smells on purpose. `legacy-erp` has no sidecar. The kind `external`
 * is a host outside of the mesh.
 */
export const WORKLOADS = `
istio-system  istio-ingressgateway  Deployment   istio-ingressgateway-service-account  istio-ingressgateway  https:443>8443            both  2  platform
istio-system  istio-egressgateway   Deployment   istio-egressgateway-service-account   istio-egressgateway   http:80>8080              both  2  platform
istio-system  istio-eastwestgateway Deployment   istio-eastwestgateway-service-account istio-eastwestgateway tls:15443>15443           both  1  platform

storefront    web                   Deployment   web-sa               web                http:80>8080              both  4  storefront
storefront    mobile-bff            Deployment   mobile-bff-sa        mobile-bff         http:80>3000              both  3  storefront
storefront    assets                Deployment   assets-sa            assets             http:80>8080              both  2  storefront
storefront    cart                  Deployment   cart-sa              cart               http:80>8080              both  3  storefront
storefront    wishlist              Deployment   wishlist-sa          wishlist           http:80>8080              both  2  storefront
storefront    recommendations       Deployment   recommendations-sa   recommendations    http:80>8000              both  2  personalisation

catalog       catalog               Deployment   catalog-sa           catalog            http:80>8080              both  3  catalog
catalog       search                Deployment   search-sa            search             http:9200>9200            both  2  catalog
catalog       pricing               Deployment   pricing-sa           pricing            grpc:9090>50051           both  2  catalog
catalog       stock                 Deployment   stock-sa             stock              grpc:9090>9090            both  2  catalog
catalog       reviews               Deployment   reviews-sa           reviews            http:80>9080              both  2  catalog
catalog       media                 Deployment   media-sa             media              http:80>8080              both  2  catalog
catalog       thumbnailer           Deployment   default              -                  -                         east  1  catalog
catalog       indexer               CronJob      indexer-sa           -                  -                         east  1  catalog

orders        checkout              Deployment   checkout-sa          checkout           http:80>8080              both  3  orders
orders        orders                Deployment   orders-sa            orders             http:80>8080,grpc:9090>9091 both  3  orders
orders        orders-v2             Deployment   orders-sa            orders             http:80>8080,grpc:9090>9091 both  1  orders
orders        order-history         Deployment   order-history-sa     order-history      http:80>8080              both  2  orders
orders        returns               Deployment   returns-sa           returns            http:80>8080              east  2  orders
orders        promotions            Deployment   promotions-sa        promotions         http:8080>8080            both  2  orders
orders        invoices              Deployment   invoices-sa          invoices           http:80>8080              east  2  finance

payments      payments              Deployment   payments-sa          payments           http:80>8081              both  3  payments
payments      psp-adapter           Deployment   psp-adapter-sa       psp-adapter        http:80>8080              both  2  payments
payments      fraud                 Deployment   fraud-sa             fraud              grpc:9090>9090            both  2  payments
payments      wallet                Deployment   wallet-sa            wallet             http:80>8080              both  2  payments
payments      ledger                StatefulSet  ledger-sa            ledger             grpc:7000>7001            east  3  finance

identity      auth                  Deployment   auth-sa              auth               http:80>8080              both  3  identity
identity      accounts              Deployment   accounts-sa          accounts           http:80>8080              both  2  identity
identity      profiles              Deployment   profiles-sa          profiles           grpc:9090>9090            both  2  identity
identity      sessions              StatefulSet  sessions-sa          sessions           http:8081>8081            both  2  identity
identity      mfa                   Deployment   mfa-sa               mfa                http:80>8080              both  1  identity

logistics     shipping              Deployment   shipping-sa          shipping           http:80>8080              both  2  logistics
logistics     warehouse             StatefulSet  warehouse-sa         warehouse          http:80>8090              east  2  logistics
logistics     tracking              Deployment   tracking-sa          tracking           http:80>8080              both  2  logistics
logistics     carriers              Deployment   carriers-sa          carriers           http:80>8080              both  2  logistics
logistics     labels                Deployment   labels-sa            labels             http:80>8080              east  1  logistics

data          events                Deployment   events-sa            events             http:80>8088              both  2  data
data          analytics             Deployment   data-sa              analytics          http:80>8080              east  2  data
data          feature-store         Deployment   data-sa              feature-store      grpc:9090>6566            east  2  personalisation
data          reports               CronJob      reports-sa           -                  -                         east  1  finance
data          warehouse-loader      CronJob      warehouse-loader-sa  -                  -                         east  1  data
data          price-export          CronJob      price-export-sa      -                  -                         east  1  data
data          trainer               CronJob      trainer-sa           -                  -                         east  1  personalisation

platform      config                Deployment   config-sa            config             http:80>8888              both  2  platform
platform      flags                 Deployment   flags-sa             flags              grpc:9090>9090            both  2  platform
platform      notifications         Deployment   notifications-sa     notifications      http:80>8080              both  2  platform
platform      mailer                Deployment   mailer-sa            mailer             http:80>8080              east  1  platform
platform      sms                   Deployment   sms-sa               sms                http:80>8080              east  1  platform
platform      audit                 StatefulSet  audit-sa             audit              http:80>8080              both  2  security
platform      backoffice            Deployment   backoffice-sa        backoffice         http:80>8080              east  2  support
platform      prober                Deployment   prober-sa            -                  -                         both  1  platform

legacy        legacy-erp            Deployment   default              -                  -                         east  1  finance

-             api.psp.example.net   external     -                    -                  https:443>443             both  1  -
-             smtp.mail.example.org external     -                    -                  https:443>443             east  1  -
-             api.sms.example.org   external     -                    -                  http:80>80                east  1  -
-             rates.carrier.example.com external -                    -                  https:443>443             both  1  -
`
