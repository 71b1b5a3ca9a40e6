/**
 * A shop of Vendure for `make test-systems`, with a plugin that sends webhooks.
 *
 * VENDURE_SHOP is a JSON document: `port`, `folder` (for the catalog), `admin_password`, and
 * `webhooks`, each with a `url`, its `secret`, and `sends`: `order` or `notice`. It prints `ready`
 * once the shop has a catalog.
 */
const fs = require('node:fs');
const path = require('node:path');
const vendure = require('@vendure/core');
const { populate } = require('@vendure/core/cli');

const settings = JSON.parse(process.env.VENDURE_SHOP);

/** Sends a webhook after each transition of an order, a fulfillment and a refund. */
class WebhookPlugin {
    constructor(eventBus, connection) {
        this.eventBus = eventBus;
        this.connection = connection;
        this.sent = Promise.resolve();
    }

    onApplicationBootstrap() {
        const on = (type, orderIds) =>
            this.eventBus.ofType(type).subscribe(async event => {
                for (const id of await orderIds(event)) {
                    // One after another, in the order of the transitions.
                    this.sent = this.sent.then(() => this.send(event, type.name, id));
                }
            });
        on(vendure.OrderStateTransitionEvent, event => [event.order.id]);
        on(vendure.RefundStateTransitionEvent, event => [event.order.id]);
        on(vendure.FulfillmentStateTransitionEvent, event => this.ordersOf(event));
    }

    async ordersOf({ ctx, fulfillment }) {
        const lines = await this.connection.getRepository(ctx, vendure.OrderLine).find({
            where: fulfillment.lines.map(line => ({ id: line.orderLineId })),
            relations: ['order'],
        });
        return [...new Set(lines.map(line => line.order.id))];
    }

    async send({ ctx }, name, orderId) {
        for (const webhook of settings.webhooks) {
            const content =
                webhook.sends === 'order' ? { order: await this.order(ctx, orderId) } : { orderId };
            await post(webhook, JSON.stringify({ event: name, ...content }));
        }
    }

    /** The order with the fields that the connector also asks the Admin API for. */
    async order(ctx, id) {
        const order = await this.connection.getEntityOrThrow(ctx, vendure.Order, id, {
            relations: [
                'customer', 'lines', 'lines.productVariant', 'lines.productVariant.translations',
                'fulfillments', 'fulfillments.lines', 'payments', 'payments.refunds',
                'payments.refunds.lines', 'shippingLines', 'surcharges',
            ],
        });
        return {
            ...fields(order, 'id code state createdAt updatedAt orderPlacedAt currencyCode totalWithTax'),
            customer: order.customer && fields(order.customer, 'id firstName lastName'),
            billingAddress: fields(order.billingAddress, 'company'),
            shippingAddress: fields(order.shippingAddress, 'company'),
            lines: order.lines.map(line => ({
                ...fields(line, 'id quantity orderPlacedQuantity'),
                productVariant: {
                    sku: line.productVariant.sku,
                    name: line.productVariant.translations[0].name,
                },
            })),
            fulfillments: order.fulfillments.map(fulfillment => ({
                ...fields(fulfillment, 'id createdAt updatedAt state method trackingCode'),
                lines: fulfillment.lines.map(line => fields(line, 'orderLineId quantity')),
            })),
            payments: order.payments.map(payment => ({
                refunds: payment.refunds.map(refund => ({
                    ...fields(refund, 'id createdAt updatedAt total state reason'),
                    lines: refund.lines.map(line => fields(line, 'orderLineId quantity')),
                })),
            })),
        };
    }
}
Reflect.defineMetadata(
    'design:paramtypes',
    [vendure.EventBus, vendure.TransactionalConnection],
    WebhookPlugin,
);
vendure.VendurePlugin({ imports: [vendure.PluginCommonModule], compatibility: '^3.0.0' })(WebhookPlugin);

function fields(entity, names) {
    return Object.fromEntries(names.split(' ').map(name => [name, entity[name]]));
}

async function post({ url, secret }, body) {
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body });
    if (!response.ok) {
        throw new Error(`${url} answered ${response.status}`);
    }
}

const CATALOG = [
    'name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets',
    'Hex bolt M8,hex-bolt-m8,,,,,,BOLT-M8,4.50,standard,1000,true,,',
    'Ball valve 20 mm,ball-valve-20,,,,,,VLV-20,18.25,standard,200,true,,',
];

const INITIAL_DATA = {
    defaultLanguage: vendure.LanguageCode.en,
    defaultZone: 'Americas',
    countries: [{ code: 'US', name: 'United States', zone: 'Americas' }],
    taxRates: [{ name: 'standard', percentage: 20 }],
    shippingMethods: [{ name: 'UPS Ground', price: 500 }],
    paymentMethods: [
        {
            name: 'Invoice',
            handler: {
                code: vendure.dummyPaymentHandler.code,
                arguments: [{ name: 'automaticSettle', value: 'true' }],
            },
        },
    ],
    collections: [],
};

const config = {
    apiOptions: { hostname: '127.0.0.1', port: settings.port },
    authOptions: {
        tokenMethod: ['bearer'],
        superadminCredentials: { identifier: 'admin', password: settings.admin_password },
    },
    dbConnectionOptions: { type: 'sqljs', synchronize: true, logging: false },
    paymentOptions: { paymentMethodHandlers: [vendure.dummyPaymentHandler] },
    logger: new vendure.DefaultLogger({ level: vendure.LogLevel.Warn, timestamp: false }),
    plugins: [WebhookPlugin],
};

async function main() {
    const catalog = path.join(settings.folder, 'catalog.csv');
    fs.writeFileSync(catalog, CATALOG.join('\n'));
    await populate(() => vendure.bootstrap(config), INITIAL_DATA, catalog);
    process.stdout.write('ready\n');
}

main().catch(error => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
});
