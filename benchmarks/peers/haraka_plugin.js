'use strict'
// Lets every message through to the next hop of config/bench.json, or leaves it in the queue.

exports.register = function () {
  this.bench = this.config.get('bench.json')
  this.register_hook('connect', 'trust')
  this.register_hook('mail', 'accept')
  this.register_hook('rcpt', 'accept')
  this.register_hook('get_mx', 'next_hop')
}

exports.trust = function (next, connection) {
  connection.relaying = true
  next()
}

exports.accept = function (next) {
  next(OK)
}

exports.next_hop = function (next) {
  if (this.bench.defer) return next(DENYSOFT, 'deferred for the benchmark')
  next(OK, this.bench.hop)
}
