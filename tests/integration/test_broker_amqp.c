// SPDX-License-Identifier: MIT
// The behaviour suite on a real RabbitMQ.
#include "broker_fixture.h"
#include "broker_suite.h"
#include "live.h"

int main(void)
{
    fixture_use(live_url(), NULL);
    return broker_suite_run(NULL);
}
