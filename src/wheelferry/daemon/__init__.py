"""The daemon: watches the cache and the store, and has what is new carried across.

watch, poll → schedule → jobs → account, notify.  `loop` joins them.  Nothing here touches
the share: what does is a process of its own, which may be killed.
"""
