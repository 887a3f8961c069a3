// SPDX-License-Identifier: MIT
// DESIGN: a delivery is one heap block: the struct, then the exchange, the key, the properties as they came off the
// wire, and the body with a NUL behind it, so that a job costs one allocation here and its body is copied once.
#include "io/delivery.h"

#include <stdlib.h>

static char *put(char *at, struct wr_slice from, struct wr_slice *out)
{
    if (from.size) {
        memcpy(at, from.data, from.size);
    }
    *out = (struct wr_slice){ at, from.size };
    return at + from.size;
}

warren_status wr_delivery_new(struct wr_delivery **out, struct wr_slice exchange,
                              struct wr_slice key, struct wr_slice raw_properties, size_t body_size,
                              char **out_body)
{
    size_t bytes = sizeof(struct wr_delivery) + exchange.size + key.size + raw_properties.size +
                   body_size + 1; /* a NUL behind the body, for handlers */
    struct wr_delivery *delivery = malloc(bytes);
    if (!delivery) {
        return WARREN_NO_MEMORY;
    }
    *delivery = (struct wr_delivery){ .bytes = bytes };
    struct wr_slice properties;
    struct wr_slice kept_exchange;
    struct wr_slice kept_key;
    char *at = put((char *)(delivery + 1), exchange, &kept_exchange);
    at = put(at, key, &kept_key);
    at = put(at, raw_properties, &properties);
    if (wr_message_read(&delivery->message, properties, NULL)) {
        free(delivery);
        return WARREN_INVALID;
    }
    at[body_size] = '\0';
    delivery->message.exchange = kept_exchange;
    delivery->message.key = kept_key;
    delivery->message.body = (struct wr_slice){ at, body_size };
    *out_body = at;
    *out = delivery;
    return WARREN_OK;
}

void wr_delivery_free(struct wr_delivery *delivery)
{
    free(delivery);
}
