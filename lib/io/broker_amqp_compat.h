/* SPDX-License-Identifier: MIT */
/*
 * rabbitmq-c's headers, by the name that the installed release uses: flat until 0.11, in a folder
 * from 0.12 (where the old names warn).
 */
#ifndef WR_IO_BROKER_AMQP_COMPAT_H
#define WR_IO_BROKER_AMQP_COMPAT_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#endif
