{{/* What all pods have in common. */}}

{{/* Pod Security "restricted". Takes the user's number. */}}
{{- define "konstruct.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "konstruct.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where pods may run, and before whom: (dict "root" $ "values" .Values.gateway). */}}
{{- define "konstruct.scheduling" -}}
{{- with include "konstruct.priorityClass" .root }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "konstruct.spread" -}}
{{- $spread := .root.Values.topologySpread -}}
{{- with $spread.topologyKeys }}
topologySpreadConstraints:
{{- range . }}
- topologyKey: {{ . }}
  maxSkew: {{ $spread.maxSkew }}
  whenUnsatisfiable: {{ $spread.whenUnsatisfiable }}
  labelSelector:
    matchLabels: {{- include "konstruct.selector" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

{{/*
The environment: ours, replaced by the user's where the names are the same, since a name given twice is refused by
server-side apply. Takes (dict "root" $ "ours" (list …) "extra" .Values.gateway.extraEnv).
*/}}
{{- define "konstruct.env" -}}
{{- $ours := .ours | default list -}}
{{- with .root.Values.log.filter }}{{ $ours = append $ours (dict "name" "KONSTRUCT_LOG" "value" .) }}{{ end -}}
{{- $names := list -}}
{{- range .extra }}{{ $names = append $names .name }}{{ end -}}
{{- $env := list -}}
{{- range $ours }}{{ if not (has .name $names) }}{{ $env = append $env . }}{{ end }}{{ end -}}
{{- with concat $env .extra }}
env: {{- toYaml . | nindent 0 }}
{{- end }}
{{- end -}}

{{- define "konstruct.volumeMounts" -}}
{{- if or .files .extraVolumeMounts -}}
volumeMounts:
{{- if .files }}
- {name: secrets, mountPath: /var/run/konstruct/secrets, readOnly: true}
{{- end }}
{{- with .extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* One volume with just the files of this role. Takes (dict "files" (list (dict "secret" … "keys" (dict key file))) …). */}}
{{- define "konstruct.volumes" -}}
{{- if or .files .extraVolumes -}}
volumes:
{{- with .files }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
    {{- range . }}
    - secret:
        name: {{ .secret }}
        items:
        {{- range $key, $file := .keys }}
        - {key: {{ $key }}, path: {{ $file }}}
        {{- end }}
    {{- end }}
{{- end }}
{{- with .extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}
