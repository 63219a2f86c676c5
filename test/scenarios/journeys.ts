/**
 * What the shop does all day. A journey is a tree of calls: the callee of a line is the caller of the lines indented below it.
 *
 * Head: `name  weight=… rhythm=… from=…` and optionally `users=customer|maybe|staff` (who is signed in), `only=<cluster>`.
 * Weight is the journey's share of journeys. `from` is a workload, `internet` or `kubelet`.
 *
 * Call: `service METHOD path`, or `service rpc package.Service/Method`; `^` repeats what the caller itself was asked.
 * `{name}` in a path is drawn once a journey (see `values.ts`), `{name*}` anew for each call. Then options: `x0.3` how often
 * it is made (mean), `host=` the authority asked for at the egress gateway, `was=` the path before the gateway rewrote it,
 * `fail=` the share answered with 503, `status=` another code, `in=` the cluster that must answer, `noroute` answered by the
 * gateway itself, `deny` refused by policy, `direct` leaves the mesh without the gateway.
 */
export const JOURNEYS = `
home  weight=14 rhythm=shopping from=internet users=maybe
  istio-ingressgateway GET /
    web ^
      recommendations GET /v1/users/{customer}/recommendations?limit=12 x0.8
        feature-store rpc feast.serving.ServingService/GetOnlineFeatures
      catalog GET /api/v1/categories
      flags rpc flags.v1.Flags/ResolveAll
      sessions GET /sessions/{session} x0.6

assets  weight=16 rhythm=shopping from=internet
  istio-ingressgateway GET /assets/{image}.webp
    assets ^

product  weight=24 rhythm=shopping from=internet users=maybe
  istio-ingressgateway GET /products/{product}?ref={campaign}
    web ^
      catalog GET /api/v1/products/{product}
        stock rpc shop.stock.v1.StockService/GetLevel
        pricing rpc shop.pricing.v2.Pricing/Quote
      reviews GET /reviews/{product}?page={page} x0.7
      media GET /media/{product}/{size} x0.9
      events POST /v1/events

search  weight=11 rhythm=shopping from=internet users=maybe
  istio-ingressgateway GET /search?q={word}&page={page}
    web ^
      search POST /products/_search
      pricing rpc shop.pricing.v2.Pricing/QuoteMany
      events POST /v1/events x0.5

mobile-product  weight=10 rhythm=shopping from=internet users=customer
  istio-ingressgateway GET /api/products/{product} was=/mobile/v3/products/{product}
    mobile-bff ^
      catalog GET /api/v1/products/{product}
        stock rpc shop.stock.v1.StockService/GetLevel
      wishlist GET /wishlists/{customer} x0.4

mobile-preflight  weight=3 rhythm=shopping from=internet
  istio-ingressgateway OPTIONS /api/cart/{cart} status=204
    mobile-bff ^ status=204

graphql  weight=5 rhythm=shopping from=internet users=customer
  istio-ingressgateway POST /graphql
    mobile-bff ^
      profiles rpc shop.profiles.v1.Profiles/GetProfile
      cart GET /carts/{cart}
      order-history GET /orders?customer={customer}&limit=5

add-to-cart  weight=7 rhythm=shopping from=internet users=maybe
  istio-ingressgateway POST /cart/items
    web ^
      cart PUT /carts/{cart}/items/{sku}
        stock rpc shop.stock.v1.StockService/Reserve
        pricing rpc shop.pricing.v2.Pricing/Quote
        promotions GET /promotions/applicable?cart={cart} x0.6
      events POST /v1/events

remove-from-cart  weight=1.5 rhythm=shopping from=internet users=maybe
  istio-ingressgateway DELETE /cart/items/{sku}
    web ^
      cart DELETE /carts/{cart}/items/{sku}
        stock rpc shop.stock.v1.StockService/Release

checkout  weight=2.6 rhythm=shopping from=internet users=customer
  istio-ingressgateway POST /checkout
    web ^
      checkout POST /checkouts
        cart GET /carts/{cart}
        accounts GET /accounts/{account}
        promotions POST /promotions/{promotion}/redeem x0.3
        payments POST /payments
          fraud rpc shop.fraud.v1.FraudScore/Score
          psp-adapter POST /charges
            istio-egressgateway POST /v1/charges host=api.psp.example.net
          wallet POST /wallets/{account}/debits x0.2
          ledger rpc shop.ledger.v1.Ledger/Append
          audit POST /audit/events
        orders POST /api/v1/orders
          stock rpc shop.stock.v1.StockService/Commit
          shipping POST /shipments
            warehouse POST /picks
            labels POST /labels x0.8
          notifications POST /notify/order-confirmed
            mailer POST /send
              istio-egressgateway POST /v3/mail/send host=smtp.mail.example.org
        events POST /v1/events

order-status  weight=4 rhythm=shopping from=internet users=customer
  istio-ingressgateway GET /account/orders/{order}
    web ^
      orders GET /api/v1/orders/{order}
      tracking GET /track/{shipment} x0.6
        carriers GET /carriers/{carrier}/status/{shipment} x0.4
          istio-egressgateway GET /track/{shipment} host=rates.carrier.example.com

order-list  weight=2.5 rhythm=shopping from=internet users=customer
  istio-ingressgateway GET /account/orders
    web ^
      order-history GET /orders?customer={customer}&page={page}
        orders rpc shop.orders.v1.Orders/BatchGet

cancel  weight=0.2 rhythm=shopping from=internet users=customer
  istio-ingressgateway POST /account/orders/{order}/cancel
    web ^
      orders DELETE /api/v1/orders/{order}
        payments POST /payments/{payment}/refund
          psp-adapter POST /refunds
            istio-egressgateway POST /v1/refunds host=api.psp.example.net
          ledger rpc shop.ledger.v1.Ledger/Append
        stock rpc shop.stock.v1.StockService/Release

returns  weight=0.3 rhythm=shopping from=internet users=customer
  istio-ingressgateway POST /returns
    web ^
      returns POST /returns
        orders GET /api/v1/orders/{order}
        warehouse POST /returns/{order}
        labels POST /labels

login  weight=3 rhythm=shopping from=internet
  istio-ingressgateway POST /login
    auth POST /login
      accounts POST /accounts/verify
      mfa POST /challenges x0.3
        notifications POST /notify/code
          sms POST /send x0.5
      sessions PUT /sessions/{session}
      audit POST /audit/events

token-refresh  weight=6 rhythm=shopping from=internet users=customer
  istio-ingressgateway POST /oauth2/token
    auth ^
      sessions GET /sessions/{session}

profile  weight=1.2 rhythm=shopping from=internet users=customer
  istio-ingressgateway PUT /account/profile
    web ^
      profiles rpc shop.profiles.v1.Profiles/UpdateProfile
      accounts PATCH /accounts/{account}
        audit POST /audit/events

review  weight=0.8 rhythm=shopping from=internet users=customer
  istio-ingressgateway POST /products/{product}/reviews
    web ^
      reviews POST /reviews/{product}
        profiles rpc shop.profiles.v1.Profiles/GetProfile

wishlist  weight=1 rhythm=shopping from=internet users=customer
  istio-ingressgateway PUT /account/wishlist/{sku}
    web ^
      wishlist PUT /wishlists/{customer}/items/{sku}

download-invoice  weight=0.5 rhythm=office from=internet users=customer
  istio-ingressgateway GET /account/invoices/{invoice}.pdf
    web ^
      invoices GET /invoices/{invoice}/document
        orders rpc shop.orders.v1.Orders/Get

support  weight=1.5 rhythm=office from=internet users=staff
  istio-ingressgateway GET /backoffice/customers/{account}
    backoffice ^
      accounts GET /accounts/{account}
      order-history GET /orders?customer={customer}
      audit POST /audit/events

support-refund  weight=0.1 rhythm=office from=internet users=staff
  istio-ingressgateway POST /backoffice/orders/{order}/refund
    backoffice ^
      payments POST /payments/{payment}/refund
        psp-adapter POST /refunds
          istio-egressgateway POST /v1/refunds host=api.psp.example.net
      audit POST /audit/events

merchandising  weight=0.4 rhythm=office from=internet users=staff
  istio-ingressgateway PUT /backoffice/products/{product}/price
    backoffice ^
      pricing rpc shop.pricing.v2.Pricing/SetPrice
      catalog PATCH /api/v1/products/{product}
      audit POST /audit/events

sales-report  weight=0.2 rhythm=office from=internet users=staff
  istio-ingressgateway GET /backoffice/reports/sales/{day}
    backoffice ^
      analytics GET /reports/sales/{day}

odd-double-slash  weight=0.15 rhythm=shopping from=internet
  istio-ingressgateway GET /assets//{image}.webp
    assets ^

odd-trailing-slash  weight=0.2 rhythm=shopping from=internet users=maybe
  istio-ingressgateway GET /products/{product}/
    web ^
      catalog GET /api/v1/products/{product}

odd-matrix  weight=0.1 rhythm=shopping from=internet users=maybe
  istio-ingressgateway GET /category/{category};sort=price
    web ^
      catalog GET /api/v1/categories/{category}/products;sort=price

odd-filter  weight=0.15 rhythm=shopping from=internet users=maybe
  istio-ingressgateway GET /category/{category}/colour={word}
    web ^
      search GET /products/_search?q={word}

odd-encoded-slash  weight=0.08 rhythm=steady from=thumbnailer
  media GET /media/originals%2F{image}
  media PUT /media/{product}/{size}

stock-sync  weight=0.8 rhythm=steady from=warehouse
  stock rpc shop.stock.v1.StockService/SetLevel x3
  events POST /v1/events

carrier-poll  weight=0.6 rhythm=steady from=tracking
  carriers GET /carriers/{carrier}/manifest/{day}
    istio-egressgateway GET /manifests/{day} host=rates.carrier.example.com

config-poll  weight=1.2 rhythm=steady from=web
  config GET /config/web/production
  flags rpc flags.v1.Flags/ResolveAll

config-poll-payments  weight=0.4 rhythm=steady from=payments
  config GET /config/payments/production

rates  weight=0.2 rhythm=steady from=recommendations
  accounts GET /accounts/{account}/segments x2

probe-kubelet  weight=1.2 rhythm=steady from=kubelet
  reviews GET /health
  assets GET /healthz
  warehouse GET /actuator/health/liveness

prober  weight=0.7 rhythm=steady from=prober
  web GET /healthz
  mobile-bff GET /healthz
  catalog GET /healthz
  checkout GET /healthz
  orders GET /healthz
  stock rpc grpc.health.v1.Health/Check

scanner  weight=0.25 rhythm=steady from=internet
  istio-ingressgateway GET /.git/config noroute
  istio-ingressgateway GET /wp-login.php noroute
  istio-ingressgateway GET /backoffice;/..;/actuator/env noroute x0.3

nightly-load  weight=1 rhythm=nightly from=warehouse-loader
  orders GET /api/v1/orders?since={day}&page={page} x2
  order-history GET /export/{day}
  accounts GET /accounts/changes/{day}
  analytics PUT /tables/{table}/partitions/{day}

nightly-invoices  weight=1.2 rhythm=nightly from=warehouse-loader
  invoices GET /invoices/{next-invoice}/document

nightly-index  weight=0.6 rhythm=nightly from=indexer
  catalog GET /api/v1/products?page={page}
  search PUT /products/_doc/{sku} x4

nightly-training  weight=0.2 rhythm=nightly from=trainer
  feature-store rpc feast.serving.ServingService/GetHistoricalFeatures
  recommendations PUT /v1/models/{day}

nightly-prices  weight=0.4 rhythm=nightly from=price-export
  pricing rpc shop.pricing.v2.Pricing/ExportPrices
  catalog GET /api/v1/products/{product} x2

month-end  weight=0.5 rhythm=month-end from=reports
  invoices POST /closings/{day}
  ledger rpc shop.ledger.v1.Ledger/CloseMonth
  analytics GET /reports/month/{day}
`
