# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What it takes to build Warren with its tests and to run them, for deploy/dev/packages. To be sourced.
# shellcheck disable=SC2034
PACKAGES=(gcc g++ libc6-dev cmake ninja-build pkg-config librabbitmq-dev libjson-c-dev
    libconfig-dev libssl-dev libcurl4-openssl-dev libmicrohttpd-dev libncurses-dev zlib1g-dev libyaml-dev
    libcunit1-dev universal-ctags openssl curl python3 python3-yaml python3-prometheus-client
    ca-certificates procps tmux zsh fish scdoc mandoc rabbitmq-server
    amqp-tools)

# What tests/deploy needs besides.
DEPLOY_PACKAGES=(
    yamllint
    doxygen # the reference
    codespell
    libsqlite3-dev sqlite3
    python3-aiosmtpd python3-celery python3-pika
    ruby ruby-bunny ruby-mdl ruby-sidekiq
    debootstrap
    dpkg-dev lintian abigail-tools faketime
    systemd procps
)
