//! One contender in a process of its own: requests on standard input, replies on standard output.

use std::io::{BufRead, Write};

use super::contender::Contender;
use super::wire::{Reply, Request, receive, send};
use crate::error::EvalError;
use crate::memory::Memory;
use stride_agent::text::chain;

/// Answers requests until the input ends.
///
/// # Errors
/// When the parent is gone or says something that is no request.
pub fn serve(mut input: impl BufRead, mut output: impl Write) -> Result<(), EvalError> {
    let mut contender: Option<Contender> = None;
    while let Some(request) = receive(&mut input).map_err(EvalError::Output)? {
        let mut reply = answer(&mut contender, request).unwrap_or_else(|error| Reply {
            error: Some(chain(&error)),
            ..Reply::default()
        });
        reply.memory = Memory::now();
        send(&mut output, &reply).map_err(EvalError::Output)?;
    }
    Ok(())
}

fn answer(contender: &mut Option<Contender>, request: Request) -> Result<Reply, EvalError> {
    if let Request::Load(setup) = request {
        *contender = Some(Contender::load(&setup)?);
        return Ok(Reply::default());
    }
    let contender = contender.as_mut().ok_or_else(|| EvalError::Worker {
        problem: "nothing was loaded".into(),
    })?;
    match request {
        Request::Begin { task, scene } => {
            contender.begin(&task, &scene);
            Ok(Reply::default())
        }
        Request::Decide {
            observation,
            instead,
        } => contender.decide(&observation, instead.as_ref()),
        Request::Observe {
            observation,
            invalid,
        } => contender.observe(&observation, invalid),
        Request::Time {
            scene,
            observation,
            repeat,
        } => contender.time(&scene, &observation, repeat),
        Request::Load(_) => unreachable!("answered above"),
    }
}
