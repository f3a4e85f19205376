"""Is this runner set up so that Wheelferry can be of use?  For `wheelferry doctor`.

`look` finds facts out and judges nothing; `checks` judges facts and looks at nothing;
`examine` does one after the other, and lets no look that fails keep another from being
made.  Nothing that was there is changed; what is tried is taken away again.
"""
