// What a shop's server does with Segment's library for Node: node segment.cjs URL KEY PERSON
const { Analytics } = require("@segment/analytics-node");

const [url, writeKey, userId] = process.argv.slice(2);
const product = { product_id: "tent", category: "camping", price: 80, currency: "EUR" };

async function main() {
  const analytics = new Analytics({ host: url, writeKey, maxRetries: 5, flushAt: 100 });
  analytics.on("error", (error) => {
    console.error(error);
    process.exitCode = 1;
  });
  analytics.identify({ userId, anonymousId: "a1", traits: { email: "p@shop.example", firstName: "Pat" } });
  for (let n = 0; n < 20; n++) analytics.track({ userId, event: "Product Viewed", properties: product });
  const order = { order_id: `o-${userId}`, total: 80, products: [{ ...product, quantity: 1 }] };
  analytics.track({ userId, event: "Order Completed", properties: order });
  await analytics.closeAndFlush({ timeout: 20000 });
}

main();
