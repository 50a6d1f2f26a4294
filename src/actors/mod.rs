//! The actors: thin, supervised, joined by typed messages.
//!
//! ```text
//! Scheduler ──FetchItem──▶ Fetch × N ──▶ Decode pool ──▶ Inference ──▶ Session pool
//!     ▲                       │ miss        │ miss                           │
//!     │                       ▼             ▼                                ▼
//!     └──credits── Store pool ◀── Gather ◀───────────── outcomes ────────────┘
//! ```
//!
//! A slot's [`Credit`](celaje_sky::credit::Credit) travels in every one of these messages and
//! returns from the store; mailboxes bound nothing, credits do. Each message is declared in its
//! receiver's file. Decisions are made by [`celaje_sky`], not here.

pub mod collect;
pub mod cores;
pub mod decode;
pub mod dispatch;
pub mod failpoint;
pub mod fetch;
pub mod gather;
pub mod guard;
pub mod health;
pub mod inference;
pub mod pool;
pub mod scheduler;
pub mod session;
pub mod shadow;
pub mod store;
pub mod watchdog;
pub mod work;
