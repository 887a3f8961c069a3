// SPDX-License-Identifier: MIT
// DESIGN: what stands in a message, told to tools from the tables that the parser itself uses.
#include "warren/message.h"

#include "model/header.h"

static const char *name_kind(char kind)
{
    switch (kind) {
    case 'l':
        return "whole number";
    case 'S':
        return "string";
    case 'A':
        return "list";
    default:
        return "any";
    }
}

bool warren_message_part_at(size_t index, warren_message_part *out)
{
    struct wr_property_row property;
    size_t count;
    const struct wr_header_row *headers = wr_header_table(&count);
    size_t properties = 0;
    while (wr_property_at(properties, &property)) {
        if (properties++ == index) {
            *out = (warren_message_part){ property.name, property.kind, property.sentence, false,
                                          true };
            return true;
        }
    }
    if (index - properties >= count) {
        return false;
    }
    const struct wr_header_row *row = &headers[index - properties];
    *out = (warren_message_part){ row->name, name_kind(row->kind), row->sentence, true,
                                  row->is_for_producers };
    return true;
}
