; Stride's household world: one room, furniture that stands at spots, things that lie in or on furniture.
; The player has two hands and carries one thing.
(define (domain stride_household)
  (:requirements :adl :typing :equality)
  (:types
    spot sort - object
    entity - object
    furniture thing - entity)
  (:predicates
    (here ?s - spot)
    (stands_at ?f - furniture ?s - spot)
    (within ?t - thing ?f - furniture)
    (carried ?t - thing)
    (empty_handed)
    ; what things and furniture are
    (of_sort ?e - entity ?k - sort)
    (fits ?thing - sort ?furniture - sort)
    (hinged ?f - furniture)
    (washes ?f - furniture)
    (heats ?f - furniture)
    (chills ?f - furniture)
    (portable ?t - thing)
    (lamp ?t - thing)
    (washable ?t - thing)
    (heatable ?t - thing)
    (chillable ?t - thing)
    ; what changes about them
    (ajar ?f - furniture)
    (lit ?t - thing)
    (clean ?t - thing)
    (hot ?t - thing)
    (cold ?t - thing)
    (noticed ?e - entity)
    (looked))

  (:action look
    :parameters (?s - spot)
    :precondition (here ?s)
    :effect (looked))

  (:action inventory
    :parameters ()
    :precondition ()
    :effect (looked))

  (:action go
    :parameters (?from - spot ?to - spot ?f - furniture)
    :precondition (and (here ?from) (stands_at ?f ?to) (not (= ?from ?to)))
    :effect (and (here ?to) (not (here ?from)) (noticed ?f)))

  (:action open
    :parameters (?s - spot ?f - furniture)
    :precondition (and (here ?s) (stands_at ?f ?s) (hinged ?f) (not (ajar ?f)))
    :effect (ajar ?f))

  (:action close
    :parameters (?s - spot ?f - furniture)
    :precondition (and (here ?s) (stands_at ?f ?s) (hinged ?f) (ajar ?f))
    :effect (not (ajar ?f)))

  (:action take
    :parameters (?t - thing ?f - furniture)
    :precondition (and
      (empty_handed)
      (portable ?t)
      (within ?t ?f)
      (imply (hinged ?f) (ajar ?f))
      (exists (?s - spot) (and (here ?s) (stands_at ?f ?s))))
    :effect (and (carried ?t) (not (within ?t ?f)) (not (empty_handed))))

  (:action put
    :parameters (?t - thing ?f - furniture)
    :precondition (and
      (carried ?t)
      (imply (hinged ?f) (ajar ?f))
      (exists (?s - spot) (and (here ?s) (stands_at ?f ?s)))
      (exists (?a - sort ?b - sort) (and (of_sort ?t ?a) (of_sort ?f ?b) (fits ?a ?b))))
    :effect (and (within ?t ?f) (empty_handed) (not (carried ?t))))

  (:action wash
    :parameters (?s - spot ?t - thing ?f - furniture)
    :precondition (and (here ?s) (stands_at ?f ?s) (washes ?f) (carried ?t) (washable ?t))
    :effect (clean ?t))

  (:action heat
    :parameters (?s - spot ?t - thing ?f - furniture)
    :precondition (and (here ?s) (stands_at ?f ?s) (heats ?f) (carried ?t) (heatable ?t))
    :effect (and (hot ?t) (when (cold ?t) (not (cold ?t)))))

  (:action chill
    :parameters (?s - spot ?t - thing ?f - furniture)
    :precondition (and (here ?s) (stands_at ?f ?s) (chills ?f) (carried ?t) (chillable ?t))
    :effect (and (cold ?t) (when (hot ?t) (not (hot ?t)))))

  ; A lamp lights when it stands open to the player; all other lamps of the room stay as they are.
  (:action use
    :parameters (?t - thing)
    :precondition (and
      (lamp ?t)
      (exists (?s - spot ?f - furniture)
        (and (here ?s) (stands_at ?f ?s) (within ?t ?f) (imply (hinged ?f) (ajar ?f)))))
    :effect (and (lit ?t) (noticed ?t)))

  (:action examine_furniture
    :parameters (?f - furniture)
    :precondition (exists (?s - spot) (and (here ?s) (stands_at ?f ?s)))
    :effect (noticed ?f))

  (:action examine_thing
    :parameters (?t - thing)
    :precondition (carried ?t)
    :effect (noticed ?t)))
