#!/bin/sh
@POST@ || true
