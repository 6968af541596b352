// What a shop's server does with RudderStack's library for Node: node rudder.cjs URL KEY PERSON
const RudderAnalytics = require("@rudderstack/rudder-sdk-node");

const [url, key, userId] = process.argv.slice(2);
const product = { product_id: "tent", category: "camping", price: 80, currency: "EUR" };
const client = new RudderAnalytics(key, { dataPlaneUrl: url, flushAt: 1, gzip: true });

function failed(error) {
  if (error) {
    console.error(error);
    process.exitCode = 1;
  }
}

async function main() {
  client.identify({ userId, traits: { email: "p@shop.example", firstName: "Pat" } }, failed);
  client.track({ userId, event: "Product Viewed", properties: product }, failed);
  const order = { order_id: `o-${userId}`, total: 80, products: [{ ...product, quantity: 1 }] };
  client.track({ userId, event: "Order Completed", properties: order }, failed);
  await client.flush();
}

main();
